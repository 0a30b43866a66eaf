#!/usr/bin/python3
"""44_detector.py - this proves that a score depends on the frames alone.

Whatever happens while a detector learns (frames that come meanwhile, other streams, threads, kill
-9 and recovery, SIGTERM, snapshots, a reload, a reset) the scores have the bits that `celltap score`
prints of the same csv; missing values and the clock included.
"""
import contextlib
import io
import math
import os
import random
import signal
import struct
import sys
import tempfile

import msgpack
import numpy

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import sp

UNITS, WARMUP, N = 16, 60, 200
HOUR = 3600
START = 1500000000


def series(seed, n=N):
    """Frames of two values, None where one is missing, with a jump."""
    noise = random.Random(seed)
    rows = [[50 + 9 * math.sin(t / 5.3) + noise.random() + (60 if t == n - 20 else 0),
             7 + math.cos(t / 11) + noise.random()] for t in range(n)]
    for t in range(0, n, 17):
        rows[t][t % 2] = None
    return [[v if v is None else struct.unpack("<f", struct.pack("<f", v))[0] for v in row]
            for row in rows]


def expected(directory, rows, *options, first=0):
    """{seq: (score, g, level, alarm)} by `celltap score`."""
    path = os.path.join(directory, "data.csv")
    with open(path, "w", encoding="ascii") as file:
        file.write("time,a,b\n")
        for t, row in enumerate(rows):
            cells = ["" if v is None else repr(v) for v in row]
            file.write("%d,%s\n" % (START + HOUR * (first + t), ",".join(cells)))
    out = celltap.run("score", "builtin:reservoir", path, "--warmup", str(WARMUP), "--units",
                      str(UNITS), "--clock", "day", *options).out
    lines = [line.split(",") for line in out.splitlines()[1:]]
    return {first + int(line[0]): tuple(float(cell) for cell in line[2:]) for line in lines}


def verdict(record):
    return (record["score"], record["g"], record["level"], float(record["alarm"]))


def check(got, wanted, what):
    for seq, scores in got.items():
        cases.same(scores, wanted[seq], (what, seq))


def model(**more):
    detector = dict({"warmup": WARMUP, "clock": "day"}, **more)
    whole = {"name": "any", "file": "builtin:reservoir", "units": UNITS, "streams": ["*"],
             "detector": detector}
    return dict(whole, channels=["a", "b"]) if "statistics" in more else whole


def config(daemon, detector=None, **more):
    return daemon.default(
        models=[model(**(detector or {}))],
        taps=[{"name": "scores", "kind": "scores", "listen": [daemon.url("scores")]},
              {"name": "all", "listen": [daemon.url("all")], "layers": ["reservoir"],
               "tensors": ["c"]}], **more)


def frames(stream, rows, first=0):
    return [D.frame(stream, row, seq=first + t + 1, ts=(START + HOUR * (first + t)) * 10**9)
            for t, row in enumerate(rows)]


@contextlib.contextmanager
def daemon_of(detector=None, **more):
    with D.Daemon(start=False) as daemon:
        daemon.write(config(daemon, detector, **more))
        daemon.start()
        yield daemon


def send(daemon, some):
    with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
        reply = D.feed(req, some)
    cases.same(reply["errors"], [], "errors")
    return reply


def take(sub, got, streams, last):
    """Score records into got[stream][seq] until every stream has its last."""
    while any(last not in got.setdefault(stream, {}) for stream in streams):
        for record in D.split(sub.receive())[1]:
            seqs = got.setdefault(record["stream"], {})
            assert record["seq"] not in seqs or seqs[record["seq"]] == verdict(record), record
            assert not seqs or record["seq"] > max(seqs), "out of order"
            seqs[record["seq"]] = verdict(record)
    return got


def test_scores_when_frames_come_faster_than_it_learns_then_those_of_celltap_score():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        rows = series(1)
        wanted = expected(folder, rows)
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows))  # all in one turn: most wait for the warm-up
            got = take(sub, {}, ["s"], N)
        cases.same(sorted(got["s"]), list(range(1, N + 1)), "seqs")
        check(got["s"], wanted, "one turn")
        assert got["s"][N - 19][0] >= 5 and got["s"][N - 19][3] == 1, got["s"][N - 19]


def test_scores_when_options_are_others_then_those_of_celltap_score_with_them():
    detector = {"threshold": 3, "smooth": 4, "range_smooth": 7, "history": "calm", "refractory": 5,
                "forget": 40, "level_state": 1.2}
    options = ("--threshold", "3", "--smooth", "4", "--range-smooth", "7", "--history", "calm",
               "--refractory", "5", "--forget", "40", "--level", "1.2,1.5", "--missing", "zero")
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        others = config(daemon, detector)
        others["models"][0]["missing"] = "zero"
        daemon.write(others)
        daemon.start()
        rows = series(2)
        wanted = expected(folder, rows, *options)
        for flag in ("--refractory", "--forget", "--missing"):
            less = list(options)
            del less[less.index(flag):less.index(flag) + 2]
            assert expected(folder, rows, *less) != wanted, "%s changes nothing" % flag
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows))
            check(take(sub, {}, ["s"], N)["s"], wanted, "all options")


def test_scores_when_many_streams_learn_at_once_then_each_as_if_alone():
    for threads in (1, 4):
        with tempfile.TemporaryDirectory() as folder, daemon_of(threads=threads) as daemon:
            some = {"s/%d" % i: series(i % 3) for i in range(30)}
            wanted = [expected(folder, series(i)) for i in range(3)]
            with daemon.subscribe(daemon.url("scores")) as sub:
                packed = {stream: frames(stream, rows) for stream, rows in some.items()}
                for t in range(0, N, 40):
                    send(daemon, [packed[stream][k] for k in range(t, t + 40) for stream in some])
                got = take(sub, {}, some, N)
            for i, stream in enumerate(some):
                cases.same(len(got[stream]), N, "records of " + stream)
                check(got[stream], wanted[i % 3], (threads, stream))


def kill_and_start(daemon):
    daemon.signal(signal.SIGKILL)
    daemon.wait_end()
    daemon.start()


def test_scores_when_killed_at_any_moment_then_as_if_never():
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        streams = {"a": series(7), "b": series(8)}
        wanted = {stream: expected(folder, rows) for stream, rows in streams.items()}
        journal = {"sync": "off", "snapshot_every": 30, "segment_bytes": 4096}
        with daemon_of(journal=journal) as daemon:
            got, at = {}, 0
            while at < N:
                n = min(rng.choice((5, 20, 30, 70)), N - at)
                with daemon.subscribe(daemon.url("scores")) as sub:
                    for _ in range(2):  # the second time they are duplicates, or were lost
                        send(daemon, [frame for stream, rows in streams.items()
                                      for frame in frames(stream, rows[at:at + n], at)])
                    at += n
                    if rng.random() < 0.5:
                        take(sub, got, streams, at)
                if rng.random() < 0.5:
                    daemon.control("snapshot")
                if rng.random() < 0.2:
                    cases.same(daemon.terminate(), 0, "exit code")
                    daemon.start()
                elif at < N:
                    kill_and_start(daemon)
            with daemon.subscribe(daemon.url("scores")) as sub:
                more = {stream: rows[:20] for stream, rows in streams.items()}
                send(daemon, [frame for stream, rows in more.items()
                              for frame in frames(stream, rows, N)])
                take(sub, got, streams, N + 20)
            for stream, rows in streams.items():
                wanted[stream] = expected(folder, rows + more[stream])
                check(got[stream], wanted[stream], stream)


def activations(sub, n):
    got = {}
    while len(got) < n:
        got.update((record["seq"], record["tensors"]["c"])
                   for record in D.split(sub.receive())[1])
    return got


def test_replay_when_it_has_learnt_then_the_bits_that_were_published():
    with tempfile.TemporaryDirectory() as folder, \
            daemon_of(journal={"snapshot_every": 50, "segment_bytes": 4096}) as daemon:
        rows = series(11)
        with daemon.subscribe(daemon.url("all")) as sub:
            for t in range(0, N, 25):
                send(daemon, frames("s", rows[t:t + 25], t))
                daemon.control("snapshot")
            live = activations(sub, N)
        kill_and_start(daemon)
        for name, first, last in (("all", 1, N), ("warm", 20, WARMUP), ("edge", WARMUP, WARMUP + 1),
                                  ("late", 150, N)):
            for journal in ((), ("--journal", os.path.join(daemon.directory, "journal"))):
                out = os.path.join(folder, name + str(len(journal)))
                celltap.run("replay", "s", "%d..%d" % (first, last), "-o", out, "--layer",
                            "reservoir", "--control", daemon.url("control"), *journal)
                values = numpy.load(os.path.join(out, "reservoir", "c.npy"))
                cases.same([row.tobytes() for row in values],
                           [live[seq] for seq in range(first, last + 1)], (name, journal))


def test_verify_when_a_kept_file_is_damaged_then_told():
    with daemon_of() as daemon:
        send(daemon, frames("s", series(21)[:80]))
        journal = os.path.join(daemon.directory, "journal")
        verify = ("journal", "verify", "--journal", journal)
        celltap.run(*verify)
        for kind in (".detector", ".onnx"):
            name = [name for name in os.listdir(journal) if name.endswith(kind)][0]
            with open(os.path.join(journal, name), "r+b") as file:
                byte = file.read(60)[-1:]
                file.seek(59)
                file.write(bytes([byte[0] ^ 1]))
                file.flush()
                assert name in celltap.run(*verify, check=1).err, name
                file.seek(59)
                file.write(byte)


def test_verify_when_a_kept_file_is_missing_then_told_once():
    with daemon_of(journal={"segment_bytes": 4096}) as daemon:
        for stream in ("a", "b"):
            send(daemon, frames(stream, series(22)[:80]))
        daemon.control("snapshot")
        journal = os.path.join(daemon.directory, "journal")
        verify = ("journal", "verify", "--journal", journal)
        for name in [name for name in os.listdir(journal) if name.endswith((".detector", ".onnx"))]:
            path = os.path.join(journal, name)
            if name[:16] not in celltap.run("journal", "ls", "--journal", journal).out \
                    and name.endswith(".onnx"):
                continue  # kept for a model that no stream has
            os.rename(path, path + ".away")
            lines = celltap.run(*verify, check=1).err.splitlines()
            cases.same(len(lines), 1, lines)
            assert name in lines[0] and "cannot be replayed" in lines[0], lines
            os.rename(path + ".away", path)
        cases.same(celltap.run(*verify).err, "", "all there again")


def test_replay_through_another_model_when_watched_then_it_gets_what_the_own_one_got():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        send(daemon, frames("s", series(25)))
        replay = ("replay", "s", "..", "--journal", os.path.join(daemon.directory, "journal"),
                  "--layer", "reservoir", "--diff", "--model")
        def model_of(channels, units):
            path = os.path.join(folder, "%d-%d.onnx" % (channels, units))
            celltap.run("reservoir", "-o", path, "--channels", str(channels), "--units", str(units))
            return path
        def differences(path):
            rows = [line.split() for line in celltap.run(*replay, path).out.splitlines()[1:-1]]
            return {row[1]: row[2] for row in rows}
        cases.same(set(differences(model_of(4, UNITS)).values()), {"0"}, "the same")
        assert float(differences(model_of(2, UNITS))["h"]) > 1e-3, "without the clock"
        cases.same(set(celltap.run(*replay, model_of(4, 24)).out.split()) & {"there"}, {"there"})
        assert "the model takes 3" in celltap.run(*replay, model_of(3, UNITS), check=1).err


def scores_of(text):
    lines = [line.split(",") for line in text.splitlines()[1:]]
    return {int(line[0]): tuple(float(cell) for cell in line[2:]) for line in lines}


def test_replay_of_scores_then_those_of_celltap_score():
    with tempfile.TemporaryDirectory() as folder, \
            daemon_of(journal={"snapshot_every": 50, "segment_bytes": 4096}) as daemon:
        rows = series(17)
        wanted = expected(folder, rows)
        for t in range(0, N, 25):
            send(daemon, frames("s", rows[t:t + 25], t))
            daemon.control("snapshot")
        for first, last in ((1, N), (20, WARMUP), (WARMUP, WARMUP + 1), (150, N)):
            out = celltap.run("replay", "s", "%d..%d" % (first, last), "--scores", "--control",
                              daemon.url("control")).out
            got = scores_of(out)
            cases.same(sorted(got), list(range(first, last + 1)), "seqs")
            check(got, wanted, (first, last))
        path = os.path.join(folder, "scores.csv")
        said = celltap.run("replay", "s", "..", "--scores", "-o", path, "--journal",
                           os.path.join(daemon.directory, "journal")).out
        cases.same(said, "%s: %d timesteps\n" % (path, N), "what it says")
        with open(path, encoding="ascii") as file:
            check(scores_of(file.read()), wanted, "a file")


def test_export_when_fed_to_celltap_score_then_the_scores_that_were():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        rows = series(26)
        wanted = expected(folder, rows)
        send(daemon, frames("s", rows))
        data = os.path.join(folder, "export.csv")
        celltap.run("journal", "export", "s", "--journal", os.path.join(daemon.directory, "journal"),
                    "-o", data)
        out = celltap.run("score", "builtin:reservoir", data, "--columns", "v0,v1", "--warmup",
                          str(WARMUP), "--units", str(UNITS), "--clock", "day").out
        check(scores_of(out), wanted, "the export")  # with its missing values and its times


def test_replay_of_scores_through_control_then_the_records_that_were_published():
    with daemon_of(journal={"snapshot_every": 50, "segment_bytes": 4096}) as daemon:
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", series(27)))
            live = {}
            while N not in live:
                live.update((record["seq"], record) for record in D.split(sub.receive())[1])
        def past(**more):
            got, cursor = [], None
            while True:
                reply = daemon.control("replay", stream="s", kind="scores", cursor=cursor, **more)
                got += msgpack.Unpacker(io.BytesIO(reply["records"]))
                cursor = reply["cursor"]
                if cursor is None:
                    return got
        for more, seqs in (({}, range(1, N + 1)), ({"from": 55, "to": 65, "limit": 3}, range(55, 66)),
                           ({"from": 150, "every": 10}, range(150, N + 1, 10))):
            cases.same(past(**more), [live[seq] for seq in seqs], more)
        reply = daemon.control("replay", stream="s", kind="anomalies")
        assert "`kind` has an unknown value" in reply["error"], reply
        daemon.write(daemon.default(models=[dict(model(), detector="none")]))
        cases.same(daemon.control("reload")["ok"], True, "reload")
        send(daemon, frames("s", series(27)[:5], N))
        cases.same(past(**{"from": N + 1}), [], "not watched")


def test_replay_of_scores_when_a_part_was_not_watched_then_those_of_the_rest():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        rows = series(20)
        send(daemon, frames("s", rows[:100]))
        daemon.write(daemon.default(models=[dict(model(), detector="none")]))
        cases.same(daemon.control("reload")["ok"], True, "reload")
        send(daemon, frames("s", rows[100:], 100))
        replay = ("replay", "s", "--scores", "--control", daemon.url("control"))
        got = scores_of(celltap.run(*replay, "..").out)
        cases.same(sorted(got), list(range(1, 101)), "seqs")
        check(got, expected(folder, rows[:100]), "watched")
        assert "no detector at seq 150" in celltap.run(*replay, "150..", check=1).err
        offline = (*replay[:3], "--journal", os.path.join(daemon.directory, "journal"))
        assert "no detector at seq 150" in celltap.run(*offline, "150..", check=1).err
        assert "no timestep" in celltap.run(*replay, "900..", check=1).err


def test_scores_when_learnt_before_then_no_warm_up_and_replay_knows():
    with tempfile.TemporaryDirectory() as folder:
        statistics, rows = os.path.join(folder, "learnt"), series(18)
        expected(folder, series(19), "--save", statistics)
        wanted = expected(folder, rows, "--load", statistics)
        with daemon_of({"statistics": statistics}) as daemon:
            with daemon.subscribe(daemon.url("scores")) as sub:
                send(daemon, frames("s", rows[:100]))
                got = take(sub, {}, ["s"], 100)
            check(got["s"], wanted, "live")
            assert got["s"][40][1] > 0, "no warm-up"
            kill_and_start(daemon)
            with daemon.subscribe(daemon.url("scores")) as sub:
                send(daemon, frames("s", rows[100:], 100))
                take(sub, got, ["s"], N)
            check(got["s"], wanted, "after a recovery")
            out = celltap.run("replay", "s", "..", "--scores", "--control",
                              daemon.url("control")).out
            check(scores_of(out), wanted, "replay")


def test_reset_when_it_learns_or_has_learnt_then_recovery_knows():
    with daemon_of(journal={"sync": "off", "snapshot_every": 10**6}) as daemon:
        rows = series(12)
        scores = []
        for kill in (False, True):
            stream, got = "k%d" % kill, {}
            for t in range(0, N, 20):
                with daemon.subscribe(daemon.url("scores")) as sub:
                    some = frames(stream, rows[t:t + 20], t)
                    if t in (40, 140):
                        some[0] = D.frame(stream, rows[t], seq=t + 1, reset=True,
                                          ts=(START + HOUR * t) * 10**9)
                    send(daemon, some)
                    take(sub, got, [stream], t + 20)
                if t in (40, 100):
                    daemon.control("reset", stream=stream)
                if kill:
                    kill_and_start(daemon)
            scores.append(got[stream])
        cases.same(scores[0], scores[1], "with kills")
        assert scores[0][N - 19][0] >= 5, "it sees the jump"
        assert all(scores[0][seq][1] == 0 for seq in range(141, 161)), "quiet after a reset"


def test_reload_when_the_detector_changes_then_starts_over_else_goes_on():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        rows = series(13)
        got = {}
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows[:100]))
            take(sub, got, ["s"], 100)
            cases.same(daemon.control("reload")["ok"], True, "reload")
            send(daemon, frames("s", rows[100:120], 100))
            take(sub, got, ["s"], 120)
            check(got["s"], expected(folder, rows[:120]), "the same detector goes on")
            daemon.write(config(daemon, {"smooth": 4}))
            reply = daemon.control("reload")
            assert any("1 start afresh" in line for line in reply["changes"]), reply
            send(daemon, frames("s", rows[120:], 120))
            take(sub, got, ["s"], N)
        after = {seq: scores for seq, scores in got["s"].items() if seq > 120}
        check(after, expected(folder, rows[120:], "--smooth", "4", first=120), "another one")
        kill_and_start(daemon)
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows[:20], N))
            got = take(sub, {}, ["s"], N + 20)
        check(got["s"], expected(folder, rows[120:] + rows[:20], "--smooth", "4", first=120),
              "after a recovery across the reload")


def judged(plain, judging):
    """{seq: (score, g, level, alarm)}, of verdicts by the default options and {seq: options from
    then on}: the refractory rule and the alarms over again, in other words than the library's."""
    options, memory, high, alarm, out = {}, 0, False, False, {}
    for seq in sorted(plain):
        options = dict(options, **judging.get(seq, {}))
        _, g, level, _ = plain[seq]
        level *= 2 / options.get("level_state", 2)
        if seq > WARMUP:
            memory *= 2 ** (-1 / options.get("refractory", 100))
            high = level > (0.8 if high else 1)
        score = g if g > 1.2 * memory else 0
        memory = max(memory, score)
        threshold = options.get("threshold", 2.7)
        alarm = score >= threshold or high or (alarm and g >= threshold)
        out[seq] = (score, g, level, float(alarm), threshold)
    return out


def take_judged(sub, got, last):
    while last not in got:
        for record in D.split(sub.receive())[1]:
            got[record["seq"]] = verdict(record) + (record["threshold"],)


def check_judged(got, wanted, what):
    for seq, scores in got.items():
        for mine, theirs in zip(scores, wanted[seq]):
            assert abs(mine - theirs) <= 1e-9 * (1 + abs(theirs)), (what, seq, scores, wanted[seq])


# Options of judging from these seq on: in the warm-up, at its end, and later, once by a restart.
JUDGING = {1: {"threshold": 1.0}, 31: {"refractory": 5}, 61: {"threshold": 3.5},
           101: {"level_state": 0.7, "threshold": 2.0}, 141: {"refractory": 500, "level_state": 0.4}}


def test_reload_when_only_judging_changes_then_what_was_learnt_stays():
    with tempfile.TemporaryDirectory() as folder, \
            daemon_of(dict(JUDGING[1]), journal={"sync": "off", "snapshot_every": 50}) as daemon:
        rows, got, options = series(23), {}, {}
        wanted = judged(expected(folder, rows), JUDGING)
        assert len({scores[3] for scores in wanted.values()}) == 2, "alarms and none"
        sub = daemon.subscribe(daemon.url("scores"))
        for t in range(0, N, 10):
            options.update(JUDGING.get(t + 1, {}))
            if t + 1 in JUDGING and t != 0:
                daemon.write(config(daemon, options, journal={"sync": "off"}))
                if t != 100:
                    reply = daemon.control("reload")
                    assert any("1 go on" in line for line in reply["changes"]), reply
            if t in (50, 70, 100, 120, 160):
                sub.close()
                kill_and_start(daemon)
                sub = daemon.subscribe(daemon.url("scores"))
            if t in (80, 150):
                daemon.control("snapshot")
            send(daemon, frames("s", rows[t:t + 10], t))
            take_judged(sub, got, t + 10)
        sub.close()
        check_judged(got, wanted, "live")
        for first, last in ((1, N), (25, 35), (61, 61), (100, 145), (150, N)):
            out = celltap.run("replay", "s", "%d..%d" % (first, last), "--scores", "--control",
                              daemon.url("control")).out
            for seq, scores in scores_of(out).items():
                cases.same(scores, got[seq][:4], ("replay", seq))


def test_reload_when_frames_wait_for_a_warm_up_then_each_is_judged_as_the_journal_says():
    with daemon_of(journal={"sync": "off", "snapshot_every": 10**6}) as daemon:
        rows, got = series(24), {}
        with daemon.subscribe(daemon.url("scores")) as sub:
            for t in range(0, N, 50):
                daemon.write(config(daemon, {"threshold": 1.0 + t / 100},
                                    journal={"sync": "off"}))
                with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                    D.feed(req, frames("s", rows[t:t + 50], t))
                cases.same(daemon.control("reload")["ok"], True, "reload")
            take_judged(sub, got, N)
        cases.same(sorted(got), list(range(1, N + 1)), "seqs")
        out = celltap.run("replay", "s", "..", "--scores", "--control", daemon.url("control")).out
        for seq, scores in scores_of(out).items():
            cases.same(scores, got[seq][:4], ("replay", seq))


def test_journal_off_then_scores_all_the_same():
    with tempfile.TemporaryDirectory() as folder, daemon_of(journal="off") as daemon:
        rows = series(14)
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows))
            got = take(sub, {}, ["s"], N)
        check(got["s"], expected(folder, rows), "without a journal")


def test_terminate_when_frames_wait_then_they_are_published_and_saved():
    with tempfile.TemporaryDirectory() as folder, daemon_of() as daemon:
        rows = series(15)
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows))
            daemon.signal(signal.SIGTERM)
            got = take(sub, {}, ["s"], N)
        cases.same(daemon.wait_end(), 0, "exit code")
        daemon.start()
        assert "0 frames stepped again" in daemon.log().split("streams go on")[-1], "it was saved"
        with daemon.subscribe(daemon.url("scores")) as sub:
            send(daemon, frames("s", rows[:20], N))
            take(sub, got, ["s"], N + 20)
        check(got["s"], expected(folder, rows + rows[:20]), "across the end")


if __name__ == "__main__":
    cases.run(globals())
