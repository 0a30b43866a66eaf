#!/usr/bin/python3
"""92_anomalies.py - this proves that an anomaly is told with what made it, when it begins and ends.

Channels and units, the range to be looked at again and the command that does it; what a person and
a program get of `celltap watch --anomalies` and `--scores`; how a new warm-up is begun.
"""
import json
import os
import subprocess
import sys
import tempfile

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import sensors
import sp

WARMUP = 100
BEGIN = 251  # seq of the first disturbed timestep


def started(daemon, **more):
    model = dict({"name": "any", "file": "builtin:reservoir", "units": 16,
                  "channels": ["pressure", "flow"], "detector": {"warmup": WARMUP, "threshold": 4}},
                 **more.pop("model", {}))
    daemon.write(daemon.default(models=[model], taps=[
        {"name": "found", "kind": "anomalies", "every": 1000, "listen": [daemon.url("found")]},
        {"name": "scores", "kind": "scores", "listen": [daemon.url("scores")]}], **more))
    daemon.start()


def disturbed(n=400):
    rows = sensors.calm(n)
    for row in rows[BEGIN - 1:BEGIN + 9]:
        row[1] = 4.0
    return rows


def frames(rows, stream="pump/1", begin=0):
    return [D.frame(stream, row, seq=t + 1, ts=sensors.ts_ns(t)) for t, row in enumerate(rows, begin)]


def test_disturbance_then_begin_and_end_with_what_made_it():
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        started(daemon)
        with daemon.subscribe(daemon.url("found")) as found, \
                daemon.subscribe(daemon.url("scores")) as scores, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()))
            all_scores = [record for _, record in D.records(scores, 400)]
            runs = alarms(all_scores)
            got = D.records(found, 2 * len(runs))
        cases.same({topic for topic, _ in got}, {"found/pump/1/"})
        cases.same([(record["event"], record["seq"], record["since"]) for _, record in got],
                   [event for first, last in runs
                    for event in (("begin", first, first), ("end", last + 1, first))])
        for _, record in got:
            score = all_scores[record["seq"] - 1]
            for key in ("stream", "ts", "score", "threshold", "level"):
                cases.same(record[key], score[key], key)
            cases.same(record["peak"], max(
                score["score"] for score in all_scores[record["since"] - 1:record["seq"]]))
        begin, end = got[0][1], got[1][1]
        cases.same(begin["seq"], BEGIN)
        first = begin["channels"][0]
        cases.same((first["name"], first["value"]), ("flow", 4.0))
        assert abs(first["expected"]) < 0.5 and first["share"] > 0.9, first
        assert abs(sum(channel["share"] for channel in begin["channels"]) - 1) < 1e-9
        cases.same(len(begin["units"]), 8)
        sizes = [abs(unit["deviation"]) for unit in begin["units"]]
        assert sizes == sorted(sizes, reverse=True) and sizes[0] > 3, sizes
        for unit in begin["units"]:
            cases.same((unit["layer"], unit["tensor"] in "hc", 0 <= unit["unit"] < 16),
                       ("reservoir", True, True))
        cases.same((begin["from"], begin["to"]), (begin["seq"] - 100, begin["seq"] + 100))
        cases.same((end["from"], end["to"]), (begin["seq"] - 100, end["seq"] + 100))
        check_replay(daemon, folder, begin)
        stream, = daemon.control("streams")["streams"]
        cases.same(stream["detector"], {"phase": "score", "warm": WARMUP, "warmup": WARMUP,
                                        "alarm": False, "events": len(runs)})
        cases.same(daemon.status()["detectors"],
                   {"watched": 1, "warming": 0, "alarms": 0, "events": len(runs)})
        daemon.process.kill()
        daemon.wait_end()
        daemon.start()
        cases.same(daemon.status()["detectors"]["events"], 0, "since the start")


def alarms(scores):
    """(first, last) seq of every alarm."""
    on = [0] + [record["seq"] if record["alarm"] else 0 for record in scores] + [0]
    first = [seq for before, seq in zip(on, on[1:]) if seq and not before]
    last = [seq for seq, behind in zip(on, on[1:]) if seq and not behind]
    return list(zip(first, last))


def check_replay(daemon, folder, record, n=201):
    """The line does what it says, pasted as it stands: it knows where this daemon is."""
    path = dict(os.environ, PATH=D.BUILD + ":" + os.environ["PATH"])
    subprocess.run(record["replay"], shell=True, check=True, cwd=folder, env=path,
                   timeout=3 * D.TIMEOUT_S, stdout=subprocess.DEVNULL)
    directory = os.path.join(folder, "anomaly-%d" % record["seq"], "reservoir")
    assert os.path.getsize(os.path.join(directory, "c.npy")) == 128 + 4 * 16 * n, os.listdir(directory)


def test_names_that_a_shell_or_a_command_could_misread_then_replayed():
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        more = dict(control={"listen": [daemon.url("where it's")]})
        started(daemon, **more)
        found = sp.Sub(daemon.url("found"), D.TIMEOUT_S)
        with found, sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req, \
                sp.Req(daemon.url("where it's"), D.TIMEOUT_S) as control:
            D.wait_until(lambda: msgpack.unpackb(control.request(msgpack.packb(
                {"cmd": "status"})))["taps"][0]["subscribers"], "the subscriber")
            for stream in ("-s", "--help"):
                D.feed(req, frames(disturbed()[:BEGIN], stream))
                check_replay(daemon, folder, D.records(found, 1)[0][1], 101)


def test_journal_off_then_nothing_to_replay():
    with D.Daemon(start=False) as daemon:
        started(daemon, journal="off")
        with daemon.subscribe(daemon.url("found")) as found, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()[:BEGIN]))
            cases.same([record["replay"] for _, record in D.records(found, 1)], [None])


def test_reset_within_an_alarm_then_it_ends():
    with D.Daemon(start=False) as daemon:
        started(daemon)
        rows = disturbed()
        with daemon.subscribe(daemon.url("found")) as found, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(rows[:BEGIN]))
            begin = D.records(found, 1)[0][1]
            cases.same(daemon.status()["detectors"]["alarms"], 1)
            cases.same(daemon.control("reset", stream="pump/1"), {"ok": True})
            D.feed(req, frames(rows[:1], begin=BEGIN))
            end = D.records(found, 1)[0][1]
        cases.same((end["event"], end["seq"], end["since"]), ("end", BEGIN + 1, begin["seq"]))
        cases.same(daemon.status()["detectors"]["alarms"], 0)


def test_detector_taken_away_within_an_alarm_then_none_is_left():
    with D.Daemon(start=False) as daemon:
        started(daemon)
        with daemon.subscribe(daemon.url("found")) as found, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()[:BEGIN]))
            D.records(found, 1)
            cases.same(daemon.status()["detectors"]["alarms"], 1)
            for detector in ("none", {"warmup": WARMUP}):
                daemon.write(daemon.default(models=[
                    {"name": "any", "file": "builtin:reservoir", "detector": detector}], taps=[]))
                assert daemon.control("reload")["ok"]
                D.feed(req, [D.frame("pump/1", [0, 0])])
                stream, = daemon.control("streams")["streams"]
                cases.same(stream["detector"] and stream["detector"]["alarm"],
                           None if detector == "none" else False)
                cases.same(daemon.status()["detectors"]["alarms"], 0)


def watched(daemon, *arguments):
    """Starts `celltap watch`, and waits until it is there."""
    def n_there():
        return sum(tap["dynamic"] and tap["subscribers"] > 0 for tap in daemon.status()["taps"])
    before = n_there()
    process = celltap.start("watch", "--control", daemon.url("control"), *arguments,
                            stdout=subprocess.PIPE, text=True)
    D.wait_until(lambda: n_there() > before, "celltap watch")
    return process


def test_watch_then_lines_for_people_and_programs():
    with D.Daemon(start=False) as daemon:
        started(daemon)
        of = {(kind, form): watched(daemon, "--" + kind, "--format", form, "--limit", limit)
              for kind, limit in (("anomalies", "2"), ("scores", "300"))
              for form in ("table", "jsonl", "csv")}
        with daemon.subscribe(daemon.url("found")) as found, \
                sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()))
            records = [record for _, record in D.records(found, 2)]
        lines = {key: process.communicate(timeout=D.TIMEOUT_S)[0].splitlines()
                 for key, process in of.items()}
        cases.same({key: process.returncode for key, process in of.items()}, dict.fromkeys(of, 0))
    cases.same([json.loads(line) for line in lines["anomalies", "jsonl"]], records)
    begin, end = records
    told = "\n".join(lines["anomalies", "table"])
    for part in ("2023-11-14 22:17:30.000  pump/1  anomaly begins: seq 251, score ",
                 "\n    flow                      4, expected ", "\n    reservoir ",
                 " deviations\n", "\n    " + begin["replay"] + "\n",
                 "  pump/1  anomaly ends: seq %d, since 251, peak " % end["seq"]):
        assert part in told, (part, told)
    head, first, last = lines["anomalies", "csv"]
    row = dict(zip(head.split(","), first.split(",")))
    cases.same((row["event"], row["channel"], float(row["score"]), row["from"]),
               ("begin", "flow", begin["score"], "151"))
    cases.same(last.split(",")[3], "end")
    cases.same([len(lines["scores", form]) for form in ("table", "jsonl", "csv")], [300, 300, 301])
    assert lines["scores", "table"][0].endswith("pump/1  seq 1  warming up")
    assert lines["scores", "table"][250].endswith("  ALARM"), lines["scores", "table"][250]
    score = json.loads(lines["scores", "jsonl"][250])
    cases.same(score["score"], begin["score"])
    cases.same(lines["scores", "csv"][0], "stream,seq,ts,score,threshold,g,level,alarm")
    cases.same(float(lines["scores", "csv"][251].split(",")[3]), begin["score"])


def test_examples_then_they_tell_of_it():
    with D.Daemon(start=False) as daemon:
        started(daemon)
        url = daemon.url("found")
        of = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in (
            [os.path.join(D.ROOT, "examples/subscriber.py"), url, "--limit", "1"],
            [os.path.join(D.BUILD, "examples/subscriber"), url, "", "1"])]
        D.wait_until(lambda: daemon.status()["taps"][0]["subscribers"] == 2, "both")
        with daemon.subscribe(url) as found, sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()[:BEGIN]))
            record = D.records(found, 1)[0][1]
        python, c = (process.communicate(timeout=D.TIMEOUT_S)[0] for process in of)
    assert python.startswith("pump/1 seq 251 anomaly begins, score %.2f\n    channel flow: 4, expected"
                             % record["score"]), python
    assert python.endswith("    " + record["replay"] + "\n"), python
    cases.same(c, "pump/1 seq 251 anomaly begin score %.2f channel flow 4.0000 expected %.4f\n"
               % (record["score"], record["channels"][0]["expected"]))


def test_watch_of_what_cannot_be_then_one_line():
    with D.Daemon() as daemon:
        done = celltap.run("watch", "--anomalies", "--control", daemon.url("control"), check=1)
        assert "no model is watched; give it `detector: {}`" in done.err, done.err
        done = celltap.run("watch", "--anomalies", "--scores", check=2)
        cases.same(done.err, "celltap: watch --scores or --anomalies, not both; start two\n")


def test_status_and_streams_then_what_the_detectors_do():
    with D.Daemon(start=False) as daemon:
        started(daemon)
        with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, frames(disturbed()[:BEGIN]) + frames(sensors.calm(40), "new"))
        D.wait_until(lambda: daemon.status()["detectors"]["alarms"] == 1, "the alarm")
        out = celltap.run("status", "--control", daemon.url("control")).out
        assert "detectors 2 streams watched, 1 warming up; 1 alarms now, 1 events\n" in out, out
        assert "tap       found: anomalies, 0 subscribers" in out, out
        out = celltap.run("streams", "--control", daemon.url("control")).out.splitlines()
        assert out[0].split()[6:8] == ["detector", "events"], out[0]
        cases.same([line.split()[0:1] + line.split()[6:8] for line in out[1:]],
                   [["pump/1", "ALARM", "1"], ["new", "40/100", "0"]])


cases.run(globals())
