#!/usr/bin/python3
"""21_rejects.py - this proves that a frame with a fault is rejected alone.

Its reason is in the reply and counted in `status`; its neighbours are stepped as if it had not been
there.
"""
import os
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

GOOD = [1.0, 2.0, 3.0]
# What, its bytes, the reason it is counted as.
FAULTS = [
    ("no stream", msgpack.packb({"values": GOOD}), "key"),
    ("no values", msgpack.packb({"stream": "a"}), "key"),
    ("empty stream", D.frame("", GOOD), "name"),
    ("long stream", D.frame("a" * 256, GOOD), "name"),
    ("space in stream", D.frame("a b", GOOD), "name"),
    ("slash is fine, NUL is not", D.frame("a/\0", GOOD), "name"),
    ("stream is a number", D.frame(7, GOOD), "type"),
    ("stream is bin", D.frame(b"a", GOOD), "type"),
    ("values is a text", D.frame("a", "123"), "type"),
    ("a value is a text", D.frame("a", [1.0, "2", 3.0]), "type"),
    ("a value is an array", D.frame("a", [1.0, [2.0], 3.0]), "type"),
    ("bin of odd length", D.frame("a", b"\0" * 11), None),
    ("seq is negative", D.frame("a", GOOD, seq=-1), None),
    ("seq is a float", D.frame("a", GOOD, seq=1.5), "type"),
    ("ts is a text", D.frame("a", GOOD, ts="now"), "type"),
    ("reset is a number", D.frame("a", GOOD, reset=1), "type"),
    ("too few values", D.frame("a", GOOD[:2]), "values"),
    ("too many values", D.frame("a", GOOD + GOOD), "values"),
    ("no values at all", D.frame("a", []), "values"),
]


def test_each_fault_when_between_good_frames_then_rejected_alone():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        for i, (what, body, reason) in enumerate(FAULTS):
            before = daemon.status()
            reply = D.feed(req, [D.frame("good", GOOD), body, D.frame("good", GOOD)])
            after = daemon.status()
            cases.same((reply["accepted"], reply["rejected"]), (2, 1), what)
            cases.same([error["index"] for error in reply["errors"]], [1], what)
            assert reply["errors"][0]["error"], what
            cases.same(after["rejected"], before["rejected"] + 1, what)
            changed = {name for name, n in after["rejects"].items() if n != before["rejects"][name]}
            cases.same(len(changed), 1, what)
            if reason:
                cases.same(changed, {reason}, what)
            cases.same(after["accepted"], 2 * (i + 1), what)
        cases.same(daemon.status()["streams"], 1, "a rejected frame makes no stream")


def test_bytes_that_are_no_msgpack_when_after_frames_then_the_rest_is_one_rejection():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        for rest in (b"\xc1", b"\x81\xa6stream", b"\xdf\xff\xff\xff\xff", b"\x93\x01\x02\x03",
                     b"\x91" * 40 + b"\xc0"):
            reply = D.feed(req, [D.frame("a", GOOD), rest])
            cases.same((reply["accepted"], reply["duplicate"]), (1, 0), repr(rest))
            assert reply["rejected"] >= 1, rest


def test_many_faults_when_in_one_message_then_errors_are_bounded_and_all_counted():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        reply = D.feed(req, [D.frame("a", [1.0])] * 1000)
        cases.same((reply["rejected"], len(reply["errors"])), (1000, 100))
        cases.same([e["index"] for e in reply["errors"]], list(range(100)))


def test_frame_when_no_model_matches_then_rejected():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=[{"name": "m", "file": D.MODEL, "streams": ["pump/*"]}]))
        daemon.start()
        with sp.Req(daemon.url("ack")) as req:
            reply = D.feed(req, [D.frame("fan/1", GOOD), D.frame("pump/1", GOOD)])
            cases.same((reply["accepted"], reply["rejected"]), (1, 1))
        cases.same(daemon.status()["rejects"]["no_model"], 1)


def test_streams_when_there_are_max_streams_then_a_new_one_is_rejected_and_old_ones_go_on():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(max_streams=3))
        daemon.start()
        with sp.Req(daemon.url("ack")) as req:
            reply = D.feed(req, [D.frame("s%d" % (i % 5), GOOD) for i in range(10)])
            cases.same((reply["accepted"], reply["rejected"]), (6, 4))
        cases.same(daemon.status()["rejects"]["streams"], 4)


def test_message_when_larger_than_max_message_bytes_then_refused_and_said():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(max_message_bytes=4096))
        daemon.start()
        with sp.Req(daemon.url("ack")) as req:
            reply = D.feed(req, [D.frame("a", GOOD)] * 120)
            cases.same((reply["accepted"], reply["rejected"]), (0, 1))
            assert "max_message_bytes" in reply["errors"][0]["error"]
            cases.same(D.feed(req, [D.frame("a", GOOD)])["accepted"], 1)
        with sp.Push(daemon.url("ingest")) as push:  # far beyond: the connection is closed
            try:
                push.send(D.frame("a", GOOD) * 4000)
                push.receive()
            except (EOFError, OSError):
                pass
        with sp.Req(daemon.url("ack")) as req:
            cases.same(D.feed(req, [D.frame("a", GOOD)])["accepted"], 1)


def test_message_when_empty_then_answered():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        cases.same(D.feed(req, []), {"accepted": 0, "duplicate": 0, "rejected": 0, "errors": []})


cases.run(globals())
