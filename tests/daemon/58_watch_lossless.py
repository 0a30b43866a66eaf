#!/usr/bin/python3
"""58_watch_lossless.py - this proves that `celltap watch --lossless` leaves nothing out.

A watch that is stopped for so long that nng drops what waits for it goes on with every record of
every layer and stream, each once, in order, with the bits that were; also of a stream that has said
nothing since, for some layers, and for every Nth timestep.  What the journal does not hold any more
is said.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import journal as J
import library
import sp

import numpy

N_TOO_MANY = 5400  # messages: of the daemon's queue and the subscriber's, and some
LAYERS = {"@input", "lstms.0", "lstms.1", "fc", "@output"}


class Watch:
    """A running watch; its lines end up in a file, so that it never waits for a reader."""

    def __init__(self, daemon, *options):
        n_taps = len(daemon.status()["taps"])
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [os.path.join(D.BUILD, "celltap"), "watch", "--control", daemon.url("control"),
             *options], stdout=self.out, stderr=self.err)
        def is_there():
            assert self.process.poll() is None, self.said()
            taps = daemon.status()["taps"][n_taps:]
            return taps and taps[0]["subscribers"]
        D.wait_until(is_there, "the watch")

    @staticmethod
    def text(file):  # the watch writes where the file's place is: it stays untouched
        return os.pread(file.fileno(), 1 << 28, 0).decode()

    def lines(self):
        return self.text(self.out).split("\n")[:-1]

    def said(self):
        return self.text(self.err)

    def wait_lines(self, n, timeout_s=D.TIMEOUT_S):
        counted = [0, 0]  # bytes, lines
        def enough():
            assert self.process.poll() is None, self.said()
            more = os.pread(self.out.fileno(), 1 << 24, counted[0])
            counted[0] += len(more)
            counted[1] += more.count(b"\n")
            return counted[1] >= n
        try:
            D.wait_until(enough, "%d lines" % n, timeout_s)
        except TimeoutError:
            print("%d lines came; %s" % (counted[1], self.said()))
            raise
        cases.same(len(self.lines()), n)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        cases.same(self.process.wait(D.TIMEOUT_S), -signal.SIGINT)
        said = self.said()
        self.out.close()
        self.err.close()
        return said


def values(k):
    return [(k % 17) / 8 - 1, (k % 29) / 14 - 1, (k % 5) / 2 - 1]


def expected(n):
    """Of a stream of n such frames: {(layer, tensor): bytes} for each."""
    network = library.Network(D.MODEL)
    return list(network.run([values(k) for k in range(n)]))


def by_key(lines):
    """{(stream, layer): [(seq, {tensor: bytes}), ...]} as printed."""
    found = {}
    for line in lines:
        record = json.loads(line)
        tensors = {name: numpy.array(numbers, "<f4").tobytes()
                   for name, numbers in record["tensors"].items()}
        found.setdefault((record["stream"], record["layer"]), []).append((record["seq"], tensors))
    return found


def same(found, stream, steps, seqs, layers, every=1):
    for layer in layers:
        got = found[stream, layer]
        cases.same([seq for seq, _ in got], [seq for seq in seqs if seq % every == 0], layer)
        for seq, tensors in got:
            for name, data in tensors.items():
                cases.same(data, steps[seq - 1][layer, name], "%s %s %s %d" % (
                    stream, layer, name, seq))


def test_watch_when_stopped_until_records_are_lost_then_fills_every_hole():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame("a", values(0)), D.frame("old", values(0))])
        watches = [Watch(daemon, "--tensor", "*"), Watch(daemon, "--tensor", "*", "--lossless"),
                   Watch(daemon, "--lossless", "--layer", "lstms.*", "--tensor", "h,f",
                         "--stream", "a", "--every", "7"),
                   Watch(daemon, "--lossless", "--layer", "fc", "--format", "csv")]
        plain, everything, some, table = watches
        n_fed = [1]
        def all_have_begun():
            D.feed(req, [D.frame("a", values(n_fed[0]))])
            n_fed[0] += 1
            return all(len(watch.lines()) > 1 for watch in watches)
        D.wait_until(all_have_begun, "all watches have begun")
        for watch in watches:
            watch.process.send_signal(signal.SIGSTOP)
        before, n = n_fed[0], n_fed[0] + N_TOO_MANY
        for k in range(before, n):
            frames = [D.frame("a", values(k))]
            if k < before + 200:  # silent afterwards
                frames.append(D.frame("b", values(k - before)))
            if k < before + 100:
                frames.append(D.frame("born/later", values(k - before)))
            D.feed(req, frames)
        for watch in watches:
            watch.process.send_signal(signal.SIGCONT)
        n_of = {"a": n, "b": 200, "born/later": 100}
        first = json.loads(everything.lines()[0])["seq"]
        everything.wait_lines(len(LAYERS) * (sum(n_of.values()) - first + 1))
        steps = expected(n)
        found = by_key(everything.lines())
        cases.same({stream for stream, _ in found}, set(n_of))
        for stream, last in n_of.items():
            same(found, stream, steps, range(first if stream == "a" else 1, last + 1), LAYERS)
        first = json.loads(some.lines()[0])["seq"]
        some.wait_lines(2 * (n // 7 - first // 7 + 1))
        same(by_key(some.lines()), "a", steps, range(first, n + 1), ("lstms.0", "lstms.1"), 7)
        first = int(table.lines()[1].split(",")[1])
        table.wait_lines(1 + 2 * (sum(n_of.values()) - first + 1))
        cells = [line.split(",") for line in table.lines()[1:]]
        cases.same([c[1] for c in cells if (c[0], c[5]) == ("a", "0")],
                   [str(seq) for seq in range(first, n + 1)])
        for c in cells:
            output = numpy.frombuffer(steps[int(c[1]) - 1]["fc", "output"], "<f4")
            cases.same(numpy.float32(c[6]).tobytes(), output[int(c[5])].tobytes(), c)
        assert "missing between" in plain.end(), "nng has dropped nothing: this shows nothing"
        for watch in watches[1:]:
            cases.same(watch.end(), "")


def test_hole_when_the_journal_has_let_go_then_said_and_the_rest_filled():
    daemon = D.Daemon(start=False)
    daemon.write(daemon.default(journal={"segment_bytes": 16384}))
    daemon.start()
    with daemon, sp.Req(daemon.url("ack")) as req:
        journal, n = os.path.join(daemon.directory, "journal"), N_TOO_MANY
        watch = Watch(daemon, "--lossless", "--layer", "fc")
        D.feed(req, [D.frame("s", values(0))])
        watch.wait_lines(1)
        watch.process.send_signal(signal.SIGSTOP)
        for k in range(1, n):
            D.feed(req, [D.frame("s", values(k))])
            if k == 600:
                daemon.control("snapshot")
                D.wait_until(lambda: daemon.status()["journal"]["snapshots"], "a snapshot")
                begin = daemon.status()["journal"]["snapshot"]
        for kind, some in (("snap", J.names(journal, "snap")), ("seg", J.names(journal, "seg")[1:])):
            for before, position in zip([0] + some, some):
                if position <= begin and (kind == "seg" or position < begin):
                    os.unlink(J.path(journal, before if kind == "seg" else position, kind))
        watch.process.send_signal(signal.SIGCONT)
        def is_over():
            lines = watch.lines()
            return lines and json.loads(lines[-1])["seq"] == n
        D.wait_until(is_over, "the last record")
        # What nng still had may stand between two holes.
        gone = [(int(first), int(last)) for first, last in
                re.findall(r"s: seq (\d+)\.\.(\d+) cannot be filled: .*", watch.said())]
        assert gone and 1 < gone[0][0], watch.said()
        held = [seq for seq in range(1, n + 1)
                if not any(first <= seq <= last for first, last in gone)]
        assert set(range(602, n + 1)) <= set(held), gone
        watch.wait_lines(len(held))
        same(by_key(watch.lines()), "s", expected(n), held, ("fc",))
        assert "could not be filled: %s" % format(n - len(held), ",") in watch.end()


def test_seqs_when_the_producer_leaves_some_out_then_no_hole_is_seen():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        watch = Watch(daemon, "--lossless", "--layer", "fc")
        seqs = [1000 * k for k in range(1, 301)]
        D.feed(req, [D.frame("s", values(1000), seq=1000)])
        watch.wait_lines(1)
        for seq in seqs[1:]:
            D.feed(req, [D.frame("s", values(seq), seq=seq)])
        watch.wait_lines(300)
        cases.same([seq for seq, _ in by_key(watch.lines())["s", "fc"]], seqs)
        cases.same(watch.end(), "")


def test_options_when_they_do_not_go_together_then_one_line():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(journal="off"))
        daemon.start()
        control = ("--control", daemon.url("control"))
        assert "`journal: off`" in celltap.run("watch", "--lossless", *control, check=1).err
        assert "is for activations" in celltap.run("watch", "--lossless", "--scores", *control,
                                                   check=2).err
        assert "--format jsonl or csv" in celltap.run("watch", "--lossless", "--format", "table",
                                                      *control, check=2).err


if __name__ == "__main__":
    cases.run(globals())
