#!/usr/bin/python3
"""93_odd_sensors.py - this proves what celltapd.yaml(5) says of sensors that do not behave.

Missing values, constant channels, a sensor that dies, jumps in time, duplicates, values beyond all
bounds: each has its rule, and no score is ever anything but a finite number.
"""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sensors
import sp

WARMUP = 100
N = 300
MAX = 3.4e38


class Watched:
    """A daemon, fed with rows; all scores of a stream and all that was found."""

    def __init__(self, **more):
        self.daemon = D.Daemon(start=False)
        self.daemon.write(self.daemon.default(models=[dict(
            {"name": "any", "file": "builtin:reservoir", "units": 16,
             "detector": {"warmup": WARMUP, "threshold": 4}}, **more)], taps=[
                 {"name": kind, "kind": kind, "listen": [self.daemon.url(kind)]}
                 for kind in ("scores", "anomalies")]))
        self.daemon.start()
        self.scores = self.daemon.subscribe(self.daemon.url("scores"))
        self.found = self.daemon.subscribe(self.daemon.url("anomalies"))
        self.req = sp.Req(self.daemon.url("ack"), D.TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.scores.close()
        self.found.close()
        self.req.close()
        self.daemon.__exit__(*failure)

    def feed(self, rows, begin=0, at_s=0):
        """The scores of these rows, in order."""
        D.feed(self.req, [D.frame("s", row, seq=t + 1, ts=sensors.ts_ns(t + at_s))
                          for t, row in enumerate(rows, begin)])
        got = [record for _, record in D.records(self.scores, len(rows))]
        check_finite(got)
        return got

    def next_found(self):
        record = D.records(self.found, 1)[0][1]
        check_finite(record)
        return record


def check_finite(value):
    if isinstance(value, float) and not math.isfinite(value):
        raise AssertionError("not finite")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_finite(part)


def begins(got):
    """seq at which an alarm begins."""
    return [b["seq"] for a, b in zip(got, got[1:]) if b["alarm"] and not a["alarm"]]


def test_missing_values_then_scored_all_the_same():
    for missing in ("hold", "zero"):
        rows = sensors.calm(N)
        for t in range(0, N, 5):
            rows[t][0] = (None, math.nan, math.inf)[t % 3]
        with Watched(missing=missing) as watched:
            got = watched.feed(rows)
        assert all(record["g"] > 0 for record in got[WARMUP + 20:]), missing


def test_missing_values_when_rejected_then_no_timestep():
    rows = sensors.calm(WARMUP + 50)
    with Watched(missing="reject") as watched:
        D.feed(watched.req, [D.frame("s", [None, 1.0])])
        cases.same(watched.daemon.status()["rejects"]["missing"], 1)
        cases.same([record["seq"] for record in watched.feed(rows)],
                   list(range(1, WARMUP + 51)))


def test_constant_channel_then_no_alarm_until_it_moves():
    rows = [[row[0], 7.5] for row in sensors.calm(N)]
    with Watched() as watched:
        cases.same(begins(watched.feed(rows)), [])
        got = watched.feed([[row[0], 7.5 + 20 * (i > 2)] for i, row in enumerate(sensors.calm(20))], N)
        cases.same(len(begins(got)) > 0, True)
        cases.same(watched.next_found()["channels"][0]["name"], "1")


def test_all_channels_constant_then_finite_and_calm():
    with Watched() as watched:
        cases.same(begins(watched.feed([[3.0, 0.0]] * N)), [])


def test_sensor_that_falls_then_an_event_at_once():
    rows = sensors.calm(N)
    for row in rows[200:]:
        row[1] = -30.0
    with Watched() as watched:
        got = watched.feed(rows)
        cases.same(begins(got)[0], 201)
        record = watched.next_found()
        cases.same((record["seq"], record["channels"][0]["name"], record["channels"][0]["value"]),
                   (201, "1", -30.0))


def test_sensor_that_is_missing_for_ever_then_finite():
    rows = sensors.calm(N)
    for row in rows[200:]:
        row[1] = None
    with Watched() as watched:
        got = watched.feed(rows)
        cases.same([record["seq"] for record in got], list(range(1, N + 1)))
    rows = [[row[0], None] for row in sensors.calm(N)]
    with Watched() as watched:
        cases.same(begins(watched.feed(rows)), [])


def test_jump_in_time_then_states_afresh_and_what_was_learnt_stays():
    with Watched(gap_reset="1h") as watched:
        watched.feed(sensors.calm(N))
        got = watched.feed(sensors.calm(40), N, at_s=7200)
        cases.same([record["phase"] for record in got], ["score"] * 40)
        cases.same([record["score"] for record in got[:20]], [0.0] * 20)
        cases.same(begins(got), [])


def test_reset_in_a_frame_then_the_same():
    with Watched() as watched:
        watched.feed(sensors.calm(N))
        D.feed(watched.req, [D.frame("s", row, seq=N + 1 + t, reset=t == 0)
                             for t, row in enumerate(sensors.calm(40))])
        got = [record for _, record in D.records(watched.scores, 40)]
        cases.same([record["score"] for record in got[:20]], [0.0] * 20)
        assert any(record["g"] > 0 for record in got[20:])


def test_gap_in_seq_and_time_that_goes_back_then_scored_on():
    with Watched() as watched:
        watched.feed(sensors.calm(N))
        got = watched.feed(sensors.calm(10), N + 1000, at_s=-5000)
        cases.same([record["phase"] for record in got], ["score"] * 10)
        assert all(record["g"] > 0 for record in got)


def test_duplicates_then_no_record():
    with Watched() as watched:
        rows = sensors.calm(N)
        watched.feed(rows)
        reply = D.feed(watched.req, [D.frame("s", [9e9, 9e9], seq=t + 1) for t in range(N)])
        cases.same((reply["accepted"], reply["duplicate"]), (0, N))
        got = watched.feed(rows[:1], N)  # comes next
        cases.same((got[0]["seq"], watched.daemon.status()["detectors"]["events"]), (N + 1, 0))


def test_values_beyond_all_bounds_then_finite():
    for begin in (WARMUP // 2, 200):  # within the warm-up, and behind it
        rows = sensors.calm(N)
        rows[begin] = [MAX, -MAX]
        rows[begin + 3] = [-MAX, 1e-45]
        with Watched() as watched:
            got = watched.feed(rows)
            if begin > WARMUP:
                cases.same(begins(got)[0], begin + 1)
                watched.next_found()


cases.run(globals())
