#!/usr/bin/python3
"""22_sequence.py - this proves the rules of a stream's frames.

Duplicates are acknowledged and not applied, gaps are counted, resets start afresh, times default to
the arrival, missing values follow the model's policy.
"""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

A, B, C = [0.5, -1.0, 2.0], [1.0, 1.0, 1.0], [-0.25, 3.0, 0.0]
NAN = float("nan")


class Rig:
    """A daemon with one model and a subscriber to the tensors of its last layer and input."""

    def __init__(self, **model):
        self.daemon = D.Daemon(start=False)
        self.daemon.write(self.daemon.default(
            models=[dict({"name": "m", "file": D.MODEL, "streams": ["*"]}, **model)],
            taps=[{"name": "all", "listen": [self.daemon.url("all")], "tensors": ["*"],
                   "group": "stream"}]))
        self.daemon.start()
        self.network = library.Network(D.MODEL)
        self.n_layers = len({name[0] for name, *_ in self.network.tensors})

    def __enter__(self):
        self.daemon.__enter__()
        self.sub = self.daemon.subscribe(self.daemon.url("all"))
        self.req = sp.Req(self.daemon.url("ack"))
        return self

    def __exit__(self, *raised):
        self.sub.close()
        self.req.close()
        self.daemon.__exit__(*raised)

    def feed(self, *frames):
        return D.feed(self.req, list(frames))

    def steps(self, n):
        """The next n timesteps: [(seq, ts, {(layer, tensor): bytes})]."""
        steps = []
        for i, (_, record) in enumerate(D.records(self.sub, n * self.n_layers)):
            if i % self.n_layers == 0:
                steps.append((record["seq"], record["ts"], {}))
            for tensor, values in record["tensors"].items():
                steps[-1][2][record["layer"], tensor] = values
        return steps

    def expect(self, steps, frames, what=""):
        """The steps are those of a fresh stream that gets these frames."""
        for step, tensors in zip(steps, self.network.run(frames)):
            cases.same(step[2], tensors, what)


def counts(reply):
    return reply["accepted"], reply["duplicate"], reply["rejected"]


def test_seq_when_not_given_then_counts_from_one():
    with Rig() as rig:
        rig.feed(D.frame("s", A), D.frame("s", B), D.frame("s", C))
        cases.same([step[0] for step in rig.steps(3)], [1, 2, 3])


def test_seq_when_sent_again_then_acknowledged_and_not_applied():
    with Rig() as rig:
        cases.same(counts(rig.feed(D.frame("s", A, seq=10), D.frame("s", B, seq=11))), (2, 0, 0))
        reply = rig.feed(D.frame("s", B, seq=10), D.frame("s", C, seq=11),
                         D.frame("s", C, seq=3, reset=True), D.frame("s", C, seq=12))
        cases.same(counts(reply), (1, 3, 0))
        steps = rig.steps(3)
        cases.same([step[0] for step in steps], [10, 11, 12])
        rig.expect(steps, [A, B, C])
        cases.same(rig.daemon.status()["duplicate"], 3)
        cases.same(rig.daemon.control("streams")["streams"][0]["duplicate"], 3)


def test_seq_when_it_jumps_then_a_gap_is_counted_and_the_next_default_follows():
    with Rig() as rig:
        rig.feed(D.frame("s", A, seq=5), D.frame("s", B, seq=9), D.frame("s", C),
                 D.frame("s", A, seq=2**64 - 2), D.frame("s", A))
        steps = rig.steps(5)
        cases.same([step[0] for step in steps], [5, 9, 10, 2**64 - 2, 2**64 - 1])
        rig.expect(steps, [A, B, C, A, A])
        cases.same(rig.daemon.status()["gaps"], 2)
        cases.same(counts(rig.feed(D.frame("s", A))), (0, 0, 1), "no seq is left")


def test_reset_when_in_a_frame_then_states_start_afresh_before_it():
    with Rig() as rig:
        rig.feed(D.frame("s", A), D.frame("s", B), D.frame("s", C, reset=True), D.frame("s", A))
        rig.feed(D.frame("t", A, reset=True), D.frame("t", B, reset=False))
        by_seq = rig.steps(6)
        rig.expect(by_seq[0:2], [A, B])
        rig.expect(by_seq[2:4], [C, A], "after the reset")
        rig.expect(by_seq[4:6], [A, B])
        cases.same([step[0] for step in by_seq], [1, 2, 3, 4, 1, 2])


def test_reset_when_by_control_then_the_next_frame_starts_afresh():
    with Rig() as rig:
        rig.feed(D.frame("s", A), D.frame("s", B))
        cases.same(rig.daemon.control("reset", stream="s"), {"ok": True})
        rig.feed(D.frame("s", C))
        steps = rig.steps(3)
        rig.expect(steps[2:], [C])
        cases.same(steps[2][0], 3, "seq goes on")
        assert "error" in rig.daemon.control("reset", stream="nobody")


def test_gap_reset_when_the_silence_is_long_then_states_start_afresh():
    with Rig(gap_reset=1000) as rig:
        ms = 1000000
        rig.feed(D.frame("s", A, ts=0), D.frame("s", B, ts=999 * ms), D.frame("s", C, ts=1998 * ms),
                 D.frame("s", A, ts=2998 * ms), D.frame("s", B, ts=0), D.frame("s", C, ts=5 * ms),
                 D.frame("s", A, ts=-2**63), D.frame("s", B, ts=2**63 - 1))
        steps = rig.steps(8)
        rig.expect(steps[0:3], [A, B, C])
        rig.expect(steps[3:7], [A, B, C, A], "after a second of silence; time may go back")
        rig.expect(steps[7:], [B], "after the longest silence there is")


def test_ts_when_not_given_then_the_time_of_arrival():
    with Rig() as rig:
        before = time.time_ns()
        rig.feed(D.frame("s", A), D.frame("s", B, ts=-5))
        after = time.time_ns()
        steps = rig.steps(2)
        assert before <= steps[0][1] <= after, steps[0][1]
        cases.same(steps[1][1], -5)


MISSING = [
    D.frame("s", [None, 1.0, 2.0]), D.frame("s", [3.0, NAN, 4.0]),
    D.frame("s", [float("inf"), None, None]), D.frame("s", struct.pack("<3f", NAN, 5.0, NAN)),
]


def test_missing_values_when_held_then_the_last_of_the_channel():
    with Rig(missing="hold") as rig:
        rig.feed(*MISSING, D.frame("s", [None, None, 9.0], reset=True))
        steps = rig.steps(5)
        rig.expect(steps[:4], [[0, 1, 2], [3, 1, 4], [3, 1, 4], [3, 5, 4]])
        rig.expect(steps[4:], [[0, 0, 9]], "a reset forgets what was held")


def test_missing_values_when_zero_then_zero():
    with Rig(missing="zero") as rig:
        rig.feed(*MISSING)
        rig.expect(rig.steps(4), [[0, 1, 2], [3, 0, 4], [0, 0, 0], [0, 5, 0]])


def test_missing_values_when_rejected_then_the_frame_leaves_no_trace():
    with Rig(missing="reject") as rig:
        reply = rig.feed(*MISSING, D.frame("s", A))
        cases.same(counts(reply), (1, 0, 4))
        steps = rig.steps(1)
        cases.same(steps[0][0], 1)
        rig.expect(steps, [A])
        cases.same(rig.daemon.status()["rejects"]["missing"], 4)


def test_frames_of_a_turn_when_reset_between_then_order_is_kept():
    with Rig() as rig:
        frames = [[i / 50.0, -i / 70.0, 1.0] for i in range(200)]
        rig.feed(*[D.frame("s", f, reset=i % 50 == 0) for i, f in enumerate(frames)])
        steps = rig.steps(200)
        for i in range(0, 200, 50):
            rig.expect(steps[i:i + 50], frames[i:i + 50], "part %d" % i)


cases.run(globals())
