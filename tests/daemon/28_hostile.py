#!/usr/bin/python3
"""28_hostile.py - this proves that nothing a client sends stops the daemon.

Nor does it allocate more than the message: hostile sizes, nesting, types, truncations and
connections, on every socket.
"""
import os
import random
import socket
import struct
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

FRAME = D.frame("s", [1.0, 2.0, 3.0], seq=9, ts=5, reset=True)
CLAIMS = [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
          b"\xdb\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xdc\xff\xff", b"\xde\xff\xff",
          b"\x82\xa6stream\xa1s\xa6values\xdd\x7f\xff\xff\xff\x01",
          b"\x82\xa6stream\xa1s\xa6values\xc6\x40\x00\x00\x00\x01\x02",
          b"\x91" * 100000, b"\x81\xa1a" * 30000, b"\x81" * 65536, b"\xc1" * 1000]


def bodies():
    source = random.Random(5)
    yield from CLAIMS
    for n in range(len(FRAME)):
        yield FRAME[:n]
    for _ in range(1500):
        mutated = bytearray(FRAME)
        for _ in range(source.choice((1, 2, 5))):
            mutated[source.randrange(len(mutated))] = source.randrange(256)
        yield bytes(mutated)
    for _ in range(300):
        yield source.randbytes(source.randrange(200))


def still_works(daemon):
    with sp.Req(daemon.url("ack")) as req:
        cases.same(D.feed(req, [D.frame("good/%d" % still_works.n, [1, 2, 3])])["accepted"], 1)
    still_works.n += 1


still_works.n = 0


def test_frames_when_hostile_then_answered_and_memory_stays():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req, \
            sp.Push(daemon.url("ingest")) as push:
        still_works(daemon)
        before = daemon.rss_bytes()
        for body in bodies():
            reply = D.feed(req, [body])
            cases.same(set(reply), {"accepted", "duplicate", "rejected", "errors"}, repr(body[:40]))
            push.send(body)
        still_works(daemon)
        assert daemon.rss_bytes() < before + D.SLOW * (8 << 20), daemon.rss_bytes() - before


def test_requests_when_hostile_then_an_error_and_the_daemon_lives():
    commands = ["status", "streams", "model", "tap.open", "tap.close", "reset", "reload",
                "snapshot", "replay", "", "x" * 1000, None, 1, ["status"], {"a": 1}, b"status"]
    keys = ["limit", "cursor", "match", "model", "streams", "layers", "name", "stream", "every"]
    values = [-1, 2**64 - 1, 1.5, None, "", "*" * 255, "[" * 255, [], [[]], {"a": []}, b"\0", True,
              "a\0b", "\n", ["x"] * 1000]
    with D.Daemon() as daemon, sp.Req(daemon.url("control")) as req:
        for body in filter(lambda body: len(body) < 60000, bodies()):  # a request's limit is 64 KiB
            cases.same(list(msgpack.unpackb(req.request(body), strict_map_key=False)), ["error"],
                       repr(body[:40]))
        for command in commands:
            for key in keys:
                for value in values:
                    request = {"cmd": command, key: value}
                    reply = msgpack.unpackb(req.request(msgpack.packb(request)))
                    if "name" in reply and "url" in reply:
                        msgpack.unpackb(req.request(msgpack.packb(
                            {"cmd": "tap.close", "name": reply["name"]})))
        still_works(daemon)


def test_connections_when_they_break_the_protocol_then_only_they_end():
    with D.Daemon() as daemon:
        claim = struct.pack(">BQ", 1, 1 << 40)
        for name in ("ingest", "ack", "control", "all"):
            for first in (b"GET / HTTP/1.1\r\n\r\n", b"\0SP\0\0\x50\0\0" + claim,
                          b"\0SP\0\0\x30\0\0" + claim, b"\0SP\0\0\x21\0\0" + claim,
                          b"\0SP\0\0\x30\0\0" + struct.pack(">BQ", 1, 3) + b"abc",
                          b"\0SP\0\0\x30\0\0" + struct.pack(">BQ", 2, 3) + b"abc",
                          b"\0SP\0\xff\xff\0\0", b"\0SP\0\0\x50"):
                raw = sp.connect(daemon.url(name))
                try:
                    raw.sendall(first)
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(4096):
                        pass
                except OSError:
                    pass
                raw.close()
        still_works(daemon)
        cases.same(daemon.status()["rejected"], 0)


def test_producers_when_they_leave_before_the_reply_then_nobody_minds():
    with D.Daemon() as daemon:
        for i in range(300):
            with sp.Req(daemon.url("ack")) as req:
                req.ask(D.frame("s", [i, 2, 3]))
        daemon.wait_accepted(250)  # a request may be lost with its connection
        still_works(daemon)


cases.run(globals())
