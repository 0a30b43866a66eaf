#!/usr/bin/python3
"""33_nngcat.py - this proves that nng's own tool can subscribe, filter by topic, feed and ask.

What a user without any program of ours does from a shell.
"""
import os
import shutil
import subprocess
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

NNGCAT = shutil.which("nngcat")


def nngcat(*arguments):
    return subprocess.Popen([NNGCAT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def test_nngcat_when_subscribed_to_a_layer_then_gets_that_layer_alone():
    with D.Daemon() as daemon:
        cat = nngcat("--sub", "--dial", daemon.url("all"), "--subscribe", "all/s/fc/", "--count", "3",
                     "--raw", "--recv-timeout", "20")
        D.wait_until(lambda: daemon.status()["taps"][0]["subscribers"], "nngcat")
        with sp.Req(daemon.url("ack")) as req:
            for i in range(3):
                D.feed(req, [D.frame("s", [i, 1, 2]), D.frame("t", [i, 1, 2])])
        output = cat.communicate(timeout=D.TIMEOUT_S)[0]
        cases.same(cat.returncode, 0)
        parts = output.split(b"all/s/fc/\0")
        cases.same(parts[0], b"")
        cases.same([(r["seq"], r["layer"]) for r in map(msgpack.unpackb, parts[1:])],
                   [(1, "fc"), (2, "fc"), (3, "fc")])


def test_nngcat_when_it_pushes_and_asks_then_served():
    with D.Daemon() as daemon:
        path = os.path.join(daemon.directory, "frame")
        with open(path, "wb") as file:
            file.write(D.frame("s", [1, 2, 3]))
        nngcat("--push", "--dial", daemon.url("ingest"), "--file", path).wait(D.TIMEOUT_S)
        daemon.wait_accepted(1)
        cat = nngcat("--req", "--dial", daemon.url("ack"), "--file", path, "--raw",
                     "--recv-timeout", "20")
        reply = msgpack.unpackb(cat.communicate(timeout=D.TIMEOUT_S)[0])
        cases.same(reply, {"accepted": 1, "duplicate": 0, "rejected": 0, "errors": []})


if NNGCAT is None:
    print("nngcat is not installed")
    sys.exit(77)
cases.run(globals())
