#!/usr/bin/python3
"""35_control.py - this proves what `status`, `streams` and `model` say.

Counts that add up, streams page by page, a model's layers as the library has them, and answers also
while frames pour in.
"""
import os
import sys
import threading

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp


def test_streams_when_there_are_many_then_page_by_page_each_once():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        names = ["%s/%d" % ("ab"[i % 2], i) for i in range(2500)]
        D.feed(req, [D.frame(name, [1, 2, 3]) for name in names])
        D.feed(req, [D.frame("a/0", [1, 2, 3], seq=9, ts=77)])
        cases.same(len(daemon.control("streams")["streams"]), 100, "without a limit")
        for match, expected in (("*", names), ("b/*", names[1::2]), ("nobody", [])):
            got, cursor = [], 0
            while cursor is not None:
                page = daemon.control("streams", limit=1000, cursor=cursor, match=match)
                got += page["streams"]
                cursor = page["cursor"]
                cases.same(page["total"], 2500)
                assert len(page["streams"]) <= 1000
            cases.same([s["stream"] for s in got], expected, match)
        cases.same(daemon.control("streams", limit=1)["streams"],
                   [{"stream": "a/0", "model": "m", "values": 3, "seq": 9, "ts": 77, "frames": 2,
                     "duplicate": 0, "gaps": 1, "detector": None}])
        cases.same(daemon.control("streams", cursor=10**9),
                   {"streams": [], "total": 2500, "cursor": None})


def test_request_when_unknown_then_the_names_of_all():
    with D.Daemon() as daemon:
        error = daemon.control("rewarms")["error"]
        for name in ("status", "tap.open", "rewarm", "snapshot", "replay"):
            assert name in error.split("there are ")[1].split(", "), error


def test_model_when_asked_for_then_layers_as_the_library_has_them():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[
            {"name": "m", "file": D.MODEL, "streams": ["*"], "channels": ["p", "q", "r"]}]))
        daemon.start()
        model = daemon.control("model")
        cases.same(model, daemon.control("model", model="m"))
        cases.same((model["name"], model["file"], model["values"], model["channels"]),
                   ("m", D.MODEL, 3, ["p", "q", "r"]))
        cases.same([((layer["name"], tensor["name"]), tensor["size"]) for layer in model["layers"]
                    for tensor in layer["tensors"]],
                   [(name, size) for name, _, _, size in library.Network(D.MODEL).tensors])
        cases.same([layer["kind"] for layer in model["layers"]],
                   ["Input", "LSTM", "LSTM", "Dense", "Output"])
        assert "error" in daemon.control("model", model="n")


def test_request_when_it_has_64_kib_then_answered_and_beyond_the_connection_is_closed():
    with D.Daemon() as daemon:
        most = 64 * 1024 - len(msgpack.packb({"cmd": "status", "more": "x" * 60000})) + 60000
        assert daemon.control("status", more="x" * most)["accepted"] == 0
        try:
            daemon.control("status", more="x" * (most + 1))
            raise AssertionError("answered")
        except (ConnectionError, EOFError):
            pass


def test_status_when_frames_pour_in_then_answers_and_adds_up():
    with D.Daemon() as daemon, sp.Push(daemon.url("ingest")) as push:
        body = D.frame("s", [1, 2, 3]) * 500 + D.frame("s", [1])

        def pour():
            for _ in range(400):
                push.send(body)
        thread = threading.Thread(target=pour, daemon=True)
        thread.start()
        while thread.is_alive():
            status = daemon.status()
            cases.same(status["rejects"]["values"], status["rejected"])
        thread.join()
        daemon.wait_accepted(400 * 500)
        status = D.wait_until(lambda: (lambda s: s if s["rejected"] == 400 else None)(
            daemon.status()), "the last rejection")
        cases.same((status["accepted"], status["queue_messages"], status["queue_bytes"]),
                   (200000, 0, 0))
        cases.same(set(status), {
            "version", "pid", "uptime_ms", "kernel", "threads", "config", "accepted", "duplicate", "gaps",
            "rejected", "per_second", "rejects", "queue_messages", "queue_bytes", "streams",
            "max_streams", "turns", "listeners_reopened", "memory_bytes", "journal",
            "detectors", "models", "taps"})


cases.run(globals())
