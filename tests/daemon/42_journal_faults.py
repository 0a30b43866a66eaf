#!/usr/bin/python3
"""42_journal_faults.py - this proves that a disk that fails costs time and no acknowledged frame.

Disk full, failing, read-only: replies stop, PULL waits, taps go on with what is in, status and
systemd hear why, and it goes on by itself.  A damaged journal stops the start with segment, offset
and the command that cuts it; a torn end is cut and said.  Snapshots that cannot be written, are given
up, or were being written when the daemon was killed cost nothing and leave nothing.
"""
import errno
import os
import signal
import struct
import subprocess
import sys
import tempfile

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import journal as J
import sp

if "san" in os.path.basename(D.BUILD) or os.environ.get("CELLTAP_WRAP"):
    print("a sanitizer wants to be the first library itself")
    sys.exit(77)

FOLDER = tempfile.TemporaryDirectory()
PRELOAD = os.path.join(FOLDER.name, "disk_fault.so")
FAULT = os.path.join(FOLDER.name, "fault")
subprocess.run(["cc", "-shared", "-fPIC", "-o", PRELOAD,
                os.path.join(D.ROOT, "tests/support/preload/disk_fault.c"), "-ldl"], check=True)


def set_fault(text):
    with open(FAULT + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(FAULT + ".new", FAULT)


def started(environment=None, **journal):
    set_fault("")
    daemon = D.Daemon(start=False, environment=dict(environment or {}, LD_PRELOAD=PRELOAD,
                                                    DISK_FAULT=FAULT))
    daemon.config = daemon.default(journal=journal)
    daemon.write(daemon.config)
    daemon.start()
    return daemon, os.path.join(daemon.directory, "journal")


def beside(journal):
    """What is being written there, or was."""
    return [name for name in os.listdir(journal) if name.endswith(".new")]


def status_of(daemon):
    return daemon.status()["journal"]


def fails_and_recovers(kind, number, sync):
    daemon, journal = started(sync=sync, sync_interval_ms=20)
    with daemon, sp.Req(daemon.url("ack")) as req, sp.Push(daemon.url("ingest")) as push:
        sub = daemon.subscribe(daemon.url("all"))
        cases.same(D.feed(req, [D.frame("s", [1, 2, 3])])["accepted"], 1)
        set_fault("%s %d .seg" % (kind, number))
        first = req.ask(D.frame("s", [2, 3, 4]))
        D.wait_until(lambda: status_of(daemon)["fault"], "the fault")
        text = os.strerror(number)
        assert text in status_of(daemon)["fault"], status_of(daemon)
        daemon.wait_log("no frames are taken")
        D.wait_until(lambda: any(line.startswith("STATUS=journal: ") and text in line
                                 for line in daemon.notifications()), "STATUS=")
        D.records(sub, 2 * 5)  # what was in is published
        push.send(b"".join(D.frame("p", [i, i, i]) for i in range(10)))
        second = req.ask(D.frame("s", [3, 4, 5]))
        D.wait_until(lambda: daemon.status()["queue_messages"] >= 2, "frames that wait")
        cases.same(daemon.status()["accepted"], 2)
        assert "cannot be written" in daemon.control("reload")["error"]
        set_fault("")
        answers = dict(req.answer() for _ in range(2))
        if kind == "write" or sync == "always":
            cases.same(set(answers), {first, second})
        for answer in answers.values():
            cases.same(msgpack.unpackb(answer)["accepted"], 1)
        daemon.wait_log("going on")
        cases.same(status_of(daemon)["fault"], "")
        daemon.wait_accepted(13)
        sub.close()
        daemon.process.kill()
        daemon.process.wait()
        got = [(e["stream"], e["seq"]) for e in J.read(journal)]
        cases.same(sorted(got), sorted([("s", i) for i in (1, 2, 3)] +
                                       [("p", i) for i in range(1, 11)]), "each once")


def test_disk_when_full_then_waits_and_goes_on():
    for sync in ("always", "interval", "off"):
        fails_and_recovers("write", errno.ENOSPC, sync)


def test_disk_when_read_only_or_failing_then_waits_and_goes_on():
    fails_and_recovers("write", errno.EROFS, "interval")
    fails_and_recovers("write", errno.EIO, "always")


def test_sync_when_it_fails_then_all_is_written_again():
    fails_and_recovers("sync", errno.EIO, "always")


def test_fault_when_a_sync_before_it_succeeds_then_stays():
    begun = os.path.join(FOLDER.name, "sync")
    daemon, _ = started({"DISK_SYNC": begun}, sync="interval", sync_interval_ms=10)
    with daemon, sp.Req(daemon.url("ack")) as req:
        syncs = status_of(daemon)["syncs"]
        if os.path.exists(begun):  # the start's own
            os.unlink(begun)
        D.feed(req, [D.frame("s", [1, 2, 3])])
        D.wait_until(lambda: os.path.exists(begun), "a sync under way")
        set_fault("write %d .seg" % errno.ENOSPC)
        asked = req.ask(D.frame("s", [2, 3, 4]))
        D.wait_until(lambda: status_of(daemon)["syncs"] > syncs, "its end")
        assert status_of(daemon)["fault"], "forgotten while a frame is not written"
        set_fault("")
        number, answer = req.answer()
        cases.same((number, msgpack.unpackb(answer)["accepted"]), (asked, 1))
        cases.same(daemon.terminate(), 0)


def test_end_when_the_disk_is_full_then_still_ends():
    daemon, _ = started()
    with daemon, sp.Req(daemon.url("ack")) as req:
        set_fault("write 28 .seg")
        req.ask(D.frame("s", [2, 3, 4]))
        D.wait_until(lambda: status_of(daemon)["fault"], "the fault")
        cases.same(daemon.terminate(), 0)


def filled(daemon, n=6):
    with sp.Req(daemon.url("ack")) as req:
        for i in range(n):
            D.feed(req, [D.frame("s", [i, i, i])])


def refused(daemon):
    daemon.notify.close()
    daemon.start(wait=False)
    cases.same(daemon.wait_end(), 1)
    return [line for line in daemon.log().splitlines() if " err: " in line][-1]


def test_journal_when_damaged_then_refuses_to_start_and_the_command_cuts():
    daemon, journal = started(sync="always")
    with daemon:
        filled(daemon)
        cases.same(daemon.terminate(), 0)
        path = J.path(journal, 0, "seg")
        starts = [position for position, _, _ in J.records(journal)]
        with open(path, "r+b") as file:
            file.seek(starts[3] + 40)
            byte = file.read(1)
            file.seek(starts[3] + 40)
            file.write(bytes([byte[0] ^ 16]))
        line = refused(daemon)
        assert "0000000000000000.seg, offset %d" % starts[3] in line, line
        command = line[line.index("`celltap ") + 9:]
        command = command[:command.index("`")].split()
        cases.same(command, ["journal", "verify", "--cut", "--journal", journal])
        done = celltap.run("journal", "verify", "--journal", journal, check=1)
        assert "damaged" in done.err and "offset %d" % starts[3] in done.err, done.err
        assert "cut at position %d" % starts[3] in celltap.run(*command).out
        daemon.notify.close()
        daemon.start()
        stream, = daemon.control("streams")["streams"]
        cases.same(stream["seq"], 3)


def test_journal_when_of_another_version_then_nothing_of_it_is_cut():
    """Also where nothing behind its head says that it was ever synced."""
    for n_bytes in (None, 40):
        daemon, journal = started(sync="off", snapshot_every=10**6)
        with daemon:
            filled(daemon)
            daemon.process.kill()
            daemon.process.wait()
            path = J.path(journal, 0, "seg")
            with open(path, "rb") as file:
                data = file.read()[:n_bytes]
            head = data[:8] + b"...." + struct.pack("<I", 2) + data[16:40]
            data = head[:8] + struct.pack("<I", J.crc32c(head[12:])) + head[12:] + data[40:]
            with open(path, "wb") as file:
                file.write(data)
            assert "another version" in refused(daemon), daemon.log()
            for cut in ((), ("--cut",)):
                done = celltap.run("journal", "verify", *cut, "--journal", journal, check=1)
                assert "another version" in done.err and "--cut" not in done.err, done.err
            for command in (("journal", "ls"), ("replay", "s", "..", "-o", journal + "/out")):
                done = celltap.run(*command, "--journal", journal, check=1)
                assert "another version" in done.err, done.err
            with open(path, "rb") as file:
                assert file.read() == data, "it was changed"


def test_end_when_torn_then_cut_and_said():
    daemon, journal = started(sync="always")
    with daemon:
        filled(daemon)
        daemon.process.kill()
        daemon.process.wait()
        size = os.path.getsize(J.path(journal, 0, "seg"))
        os.truncate(J.path(journal, 0, "seg"), size - 7)
        daemon.notify.close()
        daemon.start()
        daemon.wait_log("had not been synced are cut off")
        stream, = daemon.control("streams")["streams"]
        cases.same(stream["seq"], 5)


def test_snapshot_when_not_whole_then_an_older_one():
    daemon, journal = started()
    with daemon:
        for i in range(2):
            filled(daemon)
            daemon.control("snapshot")
            D.wait_until(lambda: status_of(daemon)["snapshots"] == i + 1, "a snapshot")
        daemon.process.kill()
        daemon.process.wait()
        path = J.path(journal, J.names(journal, "snap")[-1], "snap")
        with open(path, "r+b") as file:
            file.seek(70)
            file.write(b"?!")
        daemon.notify.close()
        daemon.start()
        daemon.wait_log("an older one is taken")
        stream, = daemon.control("streams")["streams"]
        cases.same((stream["seq"], stream["frames"]), (12, 12))


# ---- snapshots that do not come about ---------------------------------------------------------------

STREAMS = ["%s/%d" % (first, i) for i in range(1500) for first in "ab"]


def with_large_states(**journal):
    """Snapshots of more than two slices: as long as the first cannot be written, it goes no further."""
    daemon, folder = started(snapshot_every=10**9, **journal)
    daemon.config.update(taps=[], models=[{
        "name": "m", "file": os.path.join(D.ROOT, "config/demo/demo.onnx"), "streams": ["*"]}])
    daemon.write(daemon.config)
    daemon.control("reload")
    with sp.Req(daemon.url("ack")) as req:
        reply = D.feed(req, [D.frame(stream, [1.0]) for stream in STREAMS])
        cases.same(reply["accepted"], len(STREAMS))
    return daemon, folder


def hold_snapshot(daemon, journal):
    set_fault("hold 1 .snap")
    daemon.control("snapshot")
    D.wait_until(lambda: beside(journal), "a snapshot under way")


def check_snapshot(journal, streams, seq):
    """That it is whole, and the newest."""
    path = J.path(journal, J.names(journal, "snap")[-1], "snap")
    assert os.path.getsize(path) > 750 * len(streams), os.path.getsize(path)
    found = J.snapshot(path)["streams"]
    assert set(found) == set(streams), (len(found), len(streams))
    cases.same({stream["seq"] for stream in found.values()}, {seq})
    cases.same(beside(journal), [])


def test_snapshot_when_the_disk_does_not_take_it_then_said_once_and_tried_again():
    for fault in ("write 28 .snap", "sync 5 .snap"):
        daemon, journal = with_large_states()
        with daemon:
            set_fault(fault)
            for _ in range(2):
                daemon.control("snapshot")
                daemon.wait_log("no snapshot: ")
                filled(daemon)  # frames are not concerned
                D.wait_until(lambda: not beside(journal), "what was written to go")
            text = os.strerror(int(fault.split()[1]))
            said, = [line for line in daemon.log().splitlines() if "no snapshot: " in line]
            assert text in said and "tried again" in said, said
            cases.same((J.names(journal, "snap"), status_of(daemon)["fault"]), ([], ""))
            set_fault("")
            daemon.control("snapshot")
            daemon.wait_log("snapshots are stored again")
            check_snapshot(journal, STREAMS, 1)


def test_reload_when_a_snapshot_is_being_written_then_given_up_for_another():
    daemon, journal = with_large_states()
    with daemon:
        hold_snapshot(daemon, journal)
        daemon.config["models"][0]["streams"] = ["b/*"]
        daemon.write(daemon.config)
        cases.same(daemon.control("reload")["ok"], True)
        cases.same(daemon.status()["streams"], len(STREAMS) // 2)
        cases.same(J.names(journal, "snap"), [])
        set_fault("")
        D.wait_until(lambda: status_of(daemon)["snapshots"] == 1, "a snapshot")
        check_snapshot(journal, STREAMS[1::2], 1)


def test_snapshot_when_it_has_frames_that_the_journal_cannot_write_then_waits_for_them():
    daemon, journal = with_large_states(sync="always")
    with daemon, sp.Req(daemon.url("ack")) as req:
        hold_snapshot(daemon, journal)
        set_fault("hold 1 .snap write 28 .seg")
        asked = req.ask(D.frame(STREAMS[-1], [1.0]))  # one that has not been copied yet
        D.wait_until(lambda: status_of(daemon)["fault"], "the fault")
        set_fault("write 28 .seg")
        path = os.path.join(journal, beside(journal)[0])
        D.wait_until(lambda: os.path.getsize(path) > 3 << 19, "both slices")
        for _ in range(50):  # a snapshot that does not wait is stored by now
            daemon.status()
        cases.same((J.names(journal, "snap"), len(beside(journal))), ([], 1))
        set_fault("")
        cases.same(req.answer()[0], asked)
        D.wait_until(lambda: status_of(daemon)["snapshots"] == 1, "the snapshot")
        found = J.snapshot(J.path(journal, J.names(journal, "snap")[0], "snap"))["streams"]
        cases.same((len(found), found[STREAMS[0]]["seq"], found[STREAMS[-1]]["seq"]),
                   (len(STREAMS), 1, 2))


def test_end_when_a_snapshot_is_being_written_then_all_is_saved():
    daemon, journal = with_large_states()
    with daemon:
        hold_snapshot(daemon, journal)
        with sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame(stream, [1.0]) for stream in STREAMS])
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("ending: ")
        set_fault("")
        cases.same(daemon.wait_end(), 0)
        check_snapshot(journal, STREAMS, 2)


def test_end_when_a_snapshot_cannot_be_written_then_nothing_is_left():
    daemon, journal = with_large_states()
    with daemon:
        hold_snapshot(daemon, journal)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("ending: ")
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("ending at once")
        set_fault("")
        cases.same(daemon.wait_end(), 0)
        cases.same((J.names(journal, "snap"), beside(journal)), ([], []))


def test_killed_when_a_snapshot_is_being_written_then_nothing_of_it_is_left():
    daemon, journal = with_large_states()
    with daemon:
        hold_snapshot(daemon, journal)
        daemon.process.kill()
        daemon.process.wait()
        cases.same(len(beside(journal)), 1)
        of_others = os.path.join(journal, "notes.new")
        with open(of_others, "w", encoding="ascii"):
            pass
        set_fault("")
        daemon.notify.close()
        daemon.start()
        cases.same(beside(journal), ["notes.new"])
        os.unlink(of_others)
        cases.same(daemon.status()["streams"], len(STREAMS))
        cases.same(daemon.terminate(), 0)
        check_snapshot(journal, STREAMS, 1)


if __name__ == "__main__":
    cases.run(globals())
