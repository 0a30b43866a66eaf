#!/usr/bin/python3
"""90_builtin.py - this proves that a daemon without any model of one's own takes every stream.

Frames of any number of values, each number with a network of its own, the same as `celltap
reservoir` writes; bounds, kill -9 and recovery, reload, threads.
"""
import os
import random
import signal
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library
import sensors
import sp

UNITS = 8
SIZES = (1, 3, 38, 2)


def model(**more):
    """Not watched: the network gets the values as they come."""
    return dict({"name": "any", "file": "builtin:reservoir", "units": UNITS, "detector": "none"},
                **more)


def values(n, n_values, seed=1):
    rng = random.Random(seed)
    return [[struct.unpack("<f", struct.pack("<f", rng.uniform(-2, 2)))[0]
             for _ in range(n_values)] for _ in range(n)]


def network(folder, n_values):
    path = os.path.join(folder, "r%d.onnx" % n_values)
    celltap.run("reservoir", "-o", path, "--channels", str(n_values), "--units", str(UNITS))
    return library.Network(path)


def check_records(got, expected, stream):
    """Layer reservoir of the records, and the library's bytes."""
    mine = [record for _, record in got
            if record["stream"] == stream and record["layer"] == "reservoir"]
    cases.same([record["tensors"]["c"] for record in mine],
               [step["reservoir", "c"] for step in expected], stream)


def test_streams_of_any_number_of_values_then_a_network_each():
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[model()]))
        daemon.start()
        with daemon.subscribe(daemon.url("all")) as sub, sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            data = {"s/%d" % n: values(20, n, n) for n in SIZES}
            for t in range(20):  # together, so that one turn has all sizes
                D.feed(req, [D.frame(stream, frames[t]) for stream, frames in data.items()])
            got = D.records(sub, 20 * len(SIZES) * 3)
        for n in SIZES:
            check_records(got, network(folder, n).run(data["s/%d" % n]), "s/%d" % n)
        row, = daemon.status()["models"]
        cases.same(row, {"name": "any", "file": "builtin:reservoir", "values": None,
                         "streams": len(SIZES), "watched": False})
        cases.same({s["stream"]: s["values"] for s in daemon.control("streams")["streams"]},
                   {"s/%d" % n: n for n in SIZES})
        assert "any number of values, 4 streams, not watched" in celltap.run(
            "status", "--control", daemon.url("control")).out


def test_frames_beyond_the_bounds_then_rejected_and_counted():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[model()]))
        daemon.start()
        with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            cases.same(D.feed(req, [D.frame("s", [1, 2])])["accepted"], 1)
            reply = D.feed(req, [D.frame("s", [1]), D.frame("none", []),
                                 D.frame("much", struct.pack("<4097f", *[0] * 4097))])
            cases.same([error["error"].split(";")[0] for error in reply["errors"]],
                       ["the number of values differs from the model's inputs"] +
                       2 * ["builtin:reservoir takes 1 to 4096 values, of 64 different numbers at "
                            "most"])
            cases.same(D.feed(req, [D.frame("most", struct.pack("<4096f", *[0] * 4096))])
                       ["accepted"], 1)
            accepted = [D.feed(req, [D.frame("n%d" % n, [0] * n)])["accepted"]
                        for n in range(1, 70)]
            cases.same(accepted, [1] * 63 + [0] * 6)  # and that of 4096
            cases.same(D.feed(req, [D.frame("more", [0] * 5)])["accepted"], 1)  # a known one
        cases.same(daemon.status()["rejects"]["sizes"], 2 + 6)
        cases.same(daemon.status()["rejects"]["values"], 1)


def test_killed_when_of_several_sizes_then_all_go_on():
    for missing in ("hold", "zero"):
        with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
            daemon.write(daemon.default(models=[model(missing=missing)],
                                        journal={"snapshot_every": 1}))
            daemon.start()
            data = {"s/%d" % n: values(30, n, n) for n in SIZES}
            with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                D.feed(req, [D.frame(stream, frames[t]) for t in range(10)
                             for stream, frames in data.items()])
                daemon.control("snapshot")
                D.wait_until(lambda: daemon.status()["journal"]["snapshot"] > 0, "a snapshot")
                D.feed(req, [D.frame(stream, frames[t]) for t in range(10, 20)
                             for stream, frames in data.items()])
            daemon.signal(signal.SIGKILL)
            daemon.wait_end()
            daemon.start()
            with daemon.subscribe(daemon.url("all")) as sub, \
                    sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
                D.feed(req, [D.frame(stream, frames[t]) for t in range(20, 30)
                             for stream, frames in data.items()])
                got = D.records(sub, 10 * len(SIZES) * 3)
            for n in SIZES:
                expected = list(network(folder, n).run(data["s/%d" % n]))
                check_records(got, expected[20:], "s/%d" % n)


def test_reload_then_streams_keep_their_networks():
    with tempfile.TemporaryDirectory() as folder, D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[model()], threads=2))
        daemon.start()
        data = {"s/%d" % n: values(20, n, n) for n in SIZES}
        with daemon.subscribe(daemon.url("all")) as sub, sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            D.feed(req, [D.frame(stream, frames[t]) for t in range(10)
                         for stream, frames in data.items()])
            daemon.write(daemon.default(models=[
                {"name": "mine", "file": D.MODEL, "streams": ["s/3"]}, model(missing="zero")],
                threads=2))
            reply = daemon.control("reload")
            assert "streams: 3 go on, 1 start afresh, 0 gone" in reply["changes"][0], reply
            daemon.write(daemon.default(models=[model(name="other")], threads=2))
            reply = daemon.control("reload")
            assert "streams: 0 go on, 4 start afresh, 0 gone" in reply["changes"][0], reply
            D.feed(req, [D.frame(stream, frames[t]) for t in range(10, 20)
                         for stream, frames in data.items()])
            got = D.records(sub, 20 * len(SIZES) * 3)
        for n in SIZES:
            net = network(folder, n)
            check_records(got, list(net.run(data["s/%d" % n][:10])) +
                          list(net.run(data["s/%d" % n][10:])), "s/%d" % n)


def test_configuration_as_installed_then_whatever_is_fed_is_scored():
    """The file as it is shipped, but for its directories."""
    with open(os.path.join(D.ROOT, "config/celltapd.yaml"), encoding="utf-8") as file:
        shipped = file.read()
    with D.Daemon(start=False) as daemon:
        text = shipped.replace("#runtime_dir: /run/celltap", "runtime_dir: " + daemon.directory)
        text = text.replace("#state_dir: /var/lib/celltap", "state_dir: " + daemon.directory)
        assert text.count(daemon.directory) == 2
        with open(daemon.path, "w", encoding="utf-8") as file:
            file.write(text)
        daemon.start()
        rows = sensors.calm(760, 3)
        rows[755][1] = 40.0
        with daemon.subscribe(daemon.url("scores")) as scores, \
                daemon.subscribe(daemon.url("anomalies")) as found, \
                sp.Req(daemon.url("ingest-ack"), D.TIMEOUT_S) as req:
            D.feed(req, [D.frame("any/thing", row) for row in rows])
            got = [record for _, record in D.records(scores, 760)]
            record = D.split(found.receive())[1][0]
        cases.same([r["seq"] for r in got if r["phase"] == "score"], list(range(751, 761)))
        cases.same((record["seq"], record["event"], record["channels"][0]["name"]),
                   (756, "begin", "1"))


def test_named_channels_then_so_many_values():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[model(channels=["a", "b"])], journal="off"))
        daemon.start()
        with sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
            reply = D.feed(req, [D.frame("s", [1, 2]), D.frame("t", [1])])
        cases.same((reply["accepted"], reply["rejected"]), (1, 1))
        cases.same(daemon.status()["rejects"]["values"], 1)
        cases.same(daemon.status()["models"][0]["values"], 2)


cases.run(globals())
