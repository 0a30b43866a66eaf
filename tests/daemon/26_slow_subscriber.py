#!/usr/bin/python3
"""26_slow_subscriber.py - this proves that a subscriber that does not read harms itself alone.

It loses the oldest records and sees the hole in `seq`; neither the daemon nor the other subscribers
notice.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp


def test_subscriber_when_it_does_not_read_then_it_alone_loses_the_oldest():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[{"name": "all", "listen": [daemon.url("all")],
                                           "tensors": ["*"], "group": "tap", "queue": 32}]))
        daemon.start()
        n_layers, per_turn, n_turns = 5, 100, 400
        slow, good = daemon.subscribe(daemon.url("all")), daemon.subscribe(daemon.url("all"))
        with sp.Req(daemon.url("ack")) as req:
            for turn in range(n_turns):
                D.feed(req, [D.frame("s", [turn, i, 1]) for i in range(per_turn)])
                got = D.records(good, per_turn * n_layers)
                cases.same([r["seq"] for _, r in got[::n_layers]],
                           list(range(turn * per_turn + 1, (turn + 1) * per_turn + 1)))
        seqs = []
        while not seqs or seqs[-1] != n_turns * per_turn:
            seqs += [r["seq"] for r in D.split(slow.receive())[1]]
        cases.same(seqs, sorted(seqs), "order")
        assert len(set(seqs)) < n_turns * per_turn, "nothing was lost: the test is too small"
        cases.same(seqs[0], 1, "what is under way already is not lost")
        slow.close()
        good.close()


def test_subscriber_when_it_never_reads_then_the_end_does_not_wait_for_it_for_long():
    with D.Daemon() as daemon:
        sub = daemon.subscribe(daemon.url("all"))
        with sp.Req(daemon.url("ack")) as req:
            for _ in range(100):
                D.feed(req, [D.frame("s", [1, 2, 3])] * 1000)
        cases.same(daemon.terminate(), 0)
        sub.close()


cases.run(globals())
