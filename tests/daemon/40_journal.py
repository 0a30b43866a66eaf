#!/usr/bin/python3
"""40_journal.py - this proves that a daemon that was killed goes on where it was.

Every acknowledged frame is in the journal, each once, with the values that were stepped; the streams
go on with the next seq and the same bits; resets, held values and counts survive; `journal: off`
keeps nothing; a directory that cannot be written to stops the start with one line.
"""
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import journal as J
import library
import sp

NAN = float("nan")


def frames(n, seed=1):
    rng = random.Random(seed)
    return [[struct.unpack("<f", struct.pack("<f", rng.uniform(-2, 2)))[0] for _ in range(3)]
            for _ in range(n)]


def new_daemon(journal=None, **more):
    daemon = D.Daemon(start=False)
    daemon.config = daemon.default(**more)
    if journal is not None:
        daemon.config["journal"] = journal
    daemon.write(daemon.config)
    daemon.start()
    return daemon


def folder(daemon):
    return os.path.join(daemon.directory, "journal")


def restart(daemon, kill=True):
    if kill:
        daemon.process.kill()
        daemon.process.wait()
    else:
        cases.same(daemon.terminate(), 0, "exit code")
    daemon.notify.close()
    daemon.start()


class Watcher:
    """A subscriber and a REP client."""

    def __init__(self, daemon):
        self.sub = daemon.subscribe(daemon.url("all"))
        self.req = sp.Req(daemon.url("ack"))
        self.n_layers = 5

    def feed(self, *some):
        reply = D.feed(self.req, list(some))
        cases.same(reply["rejected"], 0, reply)
        return reply["accepted"]

    def steps(self, n, n_layers):
        """{(stream, seq): {(layer, tensor): bytes}} of the next n timesteps."""
        found = {}
        for _, record in D.records(self.sub, n * n_layers):
            at = found.setdefault((record["stream"], record["seq"]), {})
            for tensor, values in record["tensors"].items():
                at[record["layer"], tensor] = values
        return found

    def close(self):
        self.sub.close()
        self.req.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def n_layers(network):
    return len({name[0] for name, *_ in network.tensors})


def test_journal_when_read_by_another_reader_then_holds_what_was_stepped():
    with new_daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame("s", [1.0, None, 3.0], ts=5), D.frame("t", [4, 5, 6], seq=9, ts=-1),
                     D.frame("s", [NAN, 8, None], ts=6)])
        D.feed(req, [D.frame("s", [None, None, None], reset=True, ts=7), D.frame("t", [1, 2, 3])])
        daemon.control("reset", stream="t")
        got = list(J.read(folder(daemon)))
        with open(D.MODEL, "rb") as file:
            model = J.hash_of(file.read())
        cases.same([(e["stream"], e["seq"], e["reset"], e["mark"]) for e in got],
                   [("s", 1, True, False), ("t", 9, True, False), ("s", 2, False, False),
                    ("s", 3, True, False), ("t", 10, False, False), ("t", 10, False, True)])
        cases.same([struct.unpack("<3f", e["values"]) for e in got[:5]],
                   [(1, 0, 3), (4, 5, 6), (1, 8, 3), (0, 0, 0), (1, 2, 3)])
        cases.same([e["ts"] for e in got[:4]], [5, -1, 6, 7])
        cases.same({e["hash"] for e in got}, {model})
        assert os.path.exists(J.path(folder(daemon), model, "onnx"))


def test_killed_when_started_again_then_goes_on_with_the_same_bits():
    data = {name: frames(60, seed) for seed, name in enumerate(("a", "b/c"))}
    network = library.Network(D.MODEL)
    expected = {name: list(network.run(values)) for name, values in data.items()}
    for journal in ({"sync": "always"}, {}, {"sync": "off"},
                    {"snapshot_every": 1, "segment_bytes": 4096}):
        with new_daemon(journal) as daemon:
            for start in range(0, 60, 20):
                with Watcher(daemon) as watcher:
                    for i in range(start, start + 20):
                        cases.same(watcher.feed(*(D.frame(name, data[name][i])
                                                  for name in data)), 2)
                    steps = watcher.steps(40, n_layers(network))
                    for (name, seq), tensors in steps.items():
                        assert start < seq <= start + 20, seq
                        cases.same(tensors, expected[name][seq - 1], "%s %d" % (name, seq))
                if start == 0 and journal.get("snapshot_every"):
                    daemon.control("snapshot")
                    D.wait_until(lambda: J.names(folder(daemon), "snap"), "a snapshot")
                restart(daemon, kill=start != 20)
            seqs = [e["seq"] for e in J.read(folder(daemon)) if e["stream"] == "a"]
            cases.same(seqs, list(range(1, 61)), "each once")


def test_duplicates_resets_and_held_values_when_killed_then_survive():
    with new_daemon() as daemon:
        network = library.Network(D.MODEL)
        for saved in (False, True):
            name = "s%d" % saved
            with Watcher(daemon) as watcher:
                watcher.feed(D.frame(name, [1, 2, 3], seq=5), D.frame(name, [2, 3, 4], seq=7))
                cases.same(daemon.control("reset", stream=name), {"ok": True})
            if saved:
                daemon.control("snapshot")
                D.wait_until(lambda: daemon.status()["journal"]["snapshots"], "a snapshot")
            restart(daemon)
            with Watcher(daemon) as watcher:
                stream, = [s for s in daemon.control("streams")["streams"] if s["stream"] == name]
                cases.same((stream["seq"], stream["frames"], stream["gaps"]), (7, 2, 1))
                cases.same(watcher.feed(D.frame(name, [9, 9, 9], seq=7)), 0, "a duplicate")
                watcher.feed(D.frame(name, [1, 1, 1]), D.frame(name, [None, 5, None]))
                steps = watcher.steps(2, n_layers(network))
                expected = list(network.run([[1, 1, 1], [1, 5, 1]]))
                cases.same(steps[name, 8], expected[0], "afresh after the reset")
                cases.same(steps[name, 9], expected[1], "held")
            restart(daemon)
            with Watcher(daemon) as watcher:
                watcher.feed(D.frame(name, [None, 7, None]))
                steps = watcher.steps(1, n_layers(network))
                expected = list(network.run([[1, 1, 1], [1, 5, 1], [1, 7, 1]]))
                cases.same(steps[name, 10], expected[2], "held over the end")


def test_model_when_changed_between_then_streams_keep_seq_and_start_afresh():
    other = os.path.join(os.path.dirname(D.MODEL), "small2.onnx")
    network = library.Network(other)
    with new_daemon() as daemon:
        with Watcher(daemon) as watcher:
            watcher.feed(*(D.frame("s", values) for values in frames(5)))
        daemon.config["models"][0]["file"] = other
        daemon.write(daemon.config)
        restart(daemon)
        with Watcher(daemon) as watcher:
            values = frames(3, 7)[0][:network.n_values] + [0.5] * (network.n_values - 3)
            watcher.feed(D.frame("s", values))
            steps = watcher.steps(1, n_layers(network))
            cases.same(steps["s", 6], next(network.run([values])))
        cases.same([e["reset"] for e in J.read(folder(daemon))][-1], True)


def test_journal_when_off_then_nothing_is_kept():
    with new_daemon("off") as daemon:
        with Watcher(daemon) as watcher:
            watcher.feed(D.frame("s", [1, 2, 3]))
        assert not os.path.exists(folder(daemon))
        cases.same(daemon.status()["journal"], None)
        assert "error" in daemon.control("snapshot")


def refused(daemon):
    code = daemon.wait_end()
    lines = [line for line in daemon.log().splitlines() if " err: " in line]
    cases.same((code, len(lines)), (1, 1), daemon.log())
    return lines[0]


def test_directory_when_it_cannot_be_written_then_one_line():
    with D.Daemon(start=False) as daemon:
        config = daemon.default(state_dir="/proc/nowhere")
        daemon.write(config)
        daemon.start(wait=False)
        line = refused(daemon)
        assert "/proc/nowhere" in line and "journal: off" in line, line


def test_two_daemons_when_of_one_state_dir_then_the_second_is_refused():
    with new_daemon() as first, D.Daemon(start=False) as second:
        second.write(second.default(state_dir=first.directory))
        second.start(wait=False)
        assert "another celltapd writes to" in refused(second)


if __name__ == "__main__":
    cases.run(globals())
