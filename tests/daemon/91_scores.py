#!/usr/bin/python3
"""91_scores.py - this proves that the daemon scores streams as `celltap score` scores files.

The numbers of the tap are the command's to the last bit: of the built-in model and of one's own,
with a clock, with missing values, with statistics learnt before, on two threads, after kill -9; and
what is not watched has no scores.
"""
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import sensors
import sp

WARMUP = 100
UNITS = 16
DEMO = os.path.join(D.ROOT, "config/demo/demo.onnx")


def model(**more):
    return dict({"name": "any", "file": "builtin:reservoir", "units": UNITS,
                 "detector": {"warmup": WARMUP}}, **more)


def taps(daemon, **more):
    return [dict({"name": "scores", "kind": "scores", "listen": [daemon.url("scores")]}, **more),
            {"name": "found", "kind": "anomalies", "listen": [daemon.url("found")]}]


def started(daemon, models, **more):
    daemon.write(daemon.default(models=models, taps=taps(daemon), **more))
    daemon.start()
    return daemon


def frames(stream, rows, begin=0, period_s=1):
    return [D.frame(stream, row, seq=t + 1, ts=sensors.ts_ns(t, period_s))
            for t, row in enumerate(rows, begin)]


def offline(folder, rows, *more, network="builtin:reservoir", period_s=1):
    """[dict] of `celltap score`."""
    out = os.path.join(folder, "scores.csv")
    arguments = ["--units", str(UNITS)] if network.startswith("builtin") else []
    celltap.run("score", network, sensors.write(folder, rows, period_s=period_s), "--time", "time",
                "-o", out, *arguments, *more)
    return sensors.scores(out)


def take(sub, n):
    return [record for _, record in D.records(sub, n)]


def check_same(got, expected, what=""):
    cases.same(len(got), len(expected), what)
    for record, row in zip(got, expected):
        for key in ("seq", "ts", "score", "g", "level", "alarm"):
            cases.same(record[key], row[key], "%s seq %d %s" % (what, record["seq"], key))
            cases.same(type(record[key]), type(row[key]), key)


def noticed(rows):
    """Two disturbances behind the warm-up."""
    for t in range(200, 215):
        rows[t][0] = 2.0
    for t in range(320, 330):
        rows[t][-1] = -1.5
    return rows


def test_scores_of_the_tap_then_those_of_the_command():
    rows = noticed(sensors.calm(400))
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [model()])
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            for at in range(0, 400, 50):
                D.feed(req, frames("pump/1", rows[at:at + 50], at))
            got = D.records(sub, 400)
        cases.same({topic for topic, _ in got}, {"scores/pump/1/"})
        first = got[0][1]
        cases.same(list(first), ["stream", "seq", "ts", "score", "threshold", "alarm", "g", "level",
                                 "phase"])
        cases.same(first, {"stream": "pump/1", "seq": 1, "ts": sensors.ts_ns(0), "score": 0.0,
                           "threshold": 2.7, "alarm": False, "g": 0.0, "level": 0.0,
                           "phase": "warmup"})
        cases.same([record["phase"] for _, record in got],
                   ["warmup"] * WARMUP + ["score"] * (400 - WARMUP))
        expected = offline(folder, rows, "--warmup", str(WARMUP))
        assert any(row["alarm"] for row in expected), "nothing to see"
        check_same([record for _, record in got], expected)
        assert len({record["g"] for _, record in got}) > 100, "nothing is scored"


def test_scores_of_several_streams_on_two_threads_then_each_its_own():
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [model()], threads=2)
        data = {"s/%d" % n: noticed(sensors.calm(350, n, n)) for n in (1, 2, 5)}
        data["s/other"] = noticed(sensors.calm(350, 2, 9))
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            for at in range(0, 350, 70):
                D.feed(req, [frame for stream, rows in data.items()
                             for frame in frames(stream, rows[at:at + 70], at)])
            got = take(sub, 350 * len(data))
        for stream, rows in data.items():
            check_same([record for record in got if record["stream"] == stream],
                       offline(folder, rows, "--warmup", str(WARMUP)), stream)
        cases.same(daemon.status()["detectors"]["watched"], len(data))


def test_scores_when_values_are_missing_then_those_of_the_command():
    rows = noticed(sensors.calm(400, 3))
    for t in range(0, 400, 7):
        rows[t][t % 3] = None
    for t in range(250, 400):
        rows[t][1] = None  # gone for ever
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [model()])
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames("s", rows))
            got = take(sub, 400)
        check_same(got, offline(folder, rows, "--warmup", str(WARMUP)))


def test_scores_with_a_clock_then_those_of_the_command():
    rows = noticed(sensors.calm(400))
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [model(detector={"warmup": WARMUP, "clock": "day", "threshold": 3})])
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames("s", rows, period_s=600))
            got = take(sub, 400)
        cases.same(got[-1]["threshold"], 3.0)
        check_same(got, offline(folder, rows, "--warmup", str(WARMUP), "--clock", "day",
                                "--threshold", "3", period_s=600))


def test_scores_of_ones_own_model_then_those_of_the_command():
    """With its forecast; every other option that the configuration has is read as well."""
    rows = noticed(sensors.calm(400, 3))
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [{"name": "m", "file": D.MODEL, "rate": 2, "forecast": "none", "detector": {
            "warmup": "50s", "scale": "learn", "smooth": "2s", "level_state": 1.5,
            "level_error": 1, "range_smooth": "5s", "history": "warmup"}}])
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames("s", rows))
            got = take(sub, 400)
        check_same(got, offline(folder, rows, "--warmup", str(WARMUP), "--scale", "learn",
                                "--smooth", "4", "--level", "1.5,1", "--forecast", "none",
                                "--range-smooth", "10", "--history", "warmup",
                                network=D.MODEL))


def test_statistics_learnt_before_then_no_warmup():
    calm, rows = sensors.calm(300), noticed(sensors.calm(400, seed=2))
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        sidecar = os.path.join(folder, "pump.statistics")
        offline(folder, calm, "--warmup", str(WARMUP), "--save", sidecar)
        started(daemon, [model(channels=["p", "q"], detector={"warmup": WARMUP,
                                                              "statistics": sidecar})])
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames("s", rows))
            got = take(sub, 400)
            stream, = daemon.control("streams")["streams"]
            cases.same(stream["detector"]["phase"], "score")
        check_same(got, offline(folder, rows, "--warmup", str(WARMUP), "--load", sidecar))
        cases.same({record["phase"] for record in got}, {"score"})


def test_killed_at_any_time_then_the_same_scores():
    """Within the warm-up, right behind it, and within an alarm."""
    rows = noticed(sensors.calm(400))
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon, [model()], journal={"snapshot_every": 1})
        got, at = [], 0
        for until in (60, WARMUP + 1, 205, 400):
            with daemon.subscribe(daemon.url("scores")) as sub, \
                    sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                D.feed(req, frames("s", rows[at:until], at))
                got += take(sub, until - at)
            at = until
            if until < 400:
                if until % 2:
                    daemon.control("snapshot")
                    D.wait_until(lambda: daemon.status()["journal"]["snapshot"] > 0, "a snapshot")
                daemon.signal(signal.SIGKILL)
                daemon.wait_end()
                daemon.start()
        check_same(got, offline(folder, rows, "--warmup", str(WARMUP)))


def restart_by_command(daemon, stream):
    done = celltap.run("reset", "--detector", stream, "--control", daemon.url("control"))
    assert "a new warm-up begins with the next frame of 1 stream\n" in done.out, done.out


def restart_by_control(daemon, stream):
    cases.same(daemon.control("rewarm", stream=stream[:-1] + "*"), {"ok": True, "streams": 1})


def restart_by_reset(daemon, stream):
    cases.same(daemon.control("reset", stream=stream, detector=True), {"ok": True})


def test_detector_when_started_over_then_as_of_a_new_stream():
    """Also when the daemon is killed before the next frame; and not as after a mere reset."""
    rows, more = noticed(sensors.calm(400)), noticed(sensors.calm(400, seed=5))
    with tempfile.TemporaryDirectory() as folder:
        expected = offline(folder, more, "--warmup", str(WARMUP))
        for restart in (restart_by_command, restart_by_control, restart_by_reset):
            with D.Daemon(start=False) as daemon:
                started(daemon, [model()])
                with daemon.subscribe(daemon.url("scores")) as sub, \
                        sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                    D.feed(req, frames("s", rows))
                    take(sub, 400)
                restart(daemon, "s")
                if restart is restart_by_control:
                    daemon.signal(signal.SIGKILL)
                    daemon.wait_end()
                    daemon.start()
                with daemon.subscribe(daemon.url("scores")) as sub, \
                        sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                    D.feed(req, [D.frame("s", row, seq=401 + t, ts=sensors.ts_ns(t))
                                 for t, row in enumerate(more)])
                    got = take(sub, 400)
                check_same([dict(record, seq=record["seq"] - 400) for record in got], expected,
                           restart.__name__)


def test_detector_that_cannot_be_started_over_then_the_reason():
    with D.Daemon() as daemon:
        with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, [D.frame("s", [0, 0, 0])])
        for request, part in ((dict(cmd="rewarm", stream="s"), "of a stream that is watched"),
                              (dict(cmd="rewarm"), "of a stream that is watched"),
                              (dict(cmd="rewarm", stream=5), "`stream` is a text"),
                              (dict(cmd="reset", stream="s", detector=True), "has no detector"),
                              (dict(cmd="reset", stream="s", detector=1), "is true or false"),
                              (dict(cmd="reset", stream="t", detector=True), "not that of a stream")):
            reply = daemon.control(**request)
            assert part in reply["error"], (request, reply)
        done = celltap.run("reset", "--detector", "s", "--control", daemon.url("control"), check=1)
        assert "that is watched" in done.err, done.err


def test_tap_options_then_as_said():
    rows = sensors.calm(300)
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[model()], taps=taps(daemon, every=50, group="tap",
                                                                streams=["a*"])))
        daemon.start()
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames("b", rows) + frames("a", rows))
            got = D.records(sub, 6)
        cases.same({topic for topic, _ in got}, {"scores/"})
        cases.same([(r["stream"], r["seq"]) for _, r in got], [("a", n) for n in range(50, 301, 50)])
        row = daemon.status()["taps"][0]
        cases.same((row["name"], row["kind"], row["records"]), ("scores", "scores", 6))


def test_model_that_is_not_watched_then_no_scores_and_the_reason():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[]))
        daemon.start()
        for kind in ("scores", "anomalies"):
            reply = daemon.control("tap.open", kind=kind)
            assert "no model is watched; give it `detector: {}`" in reply["error"], reply
        reply = daemon.control("tap.open", kind="score")
        assert "`kind` has an unknown value" in reply["error"], reply
        daemon.write(daemon.default(taps=taps(daemon)))  # which ask for it
        assert daemon.control("reload")["ok"]
        with daemon.subscribe(daemon.url("scores")) as sub, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, [D.frame("s", [0, 0, 0])])
            cases.same(take(sub, 1)[0]["phase"], "warmup")


cases.run(globals())
