#!/usr/bin/python3
"""make_journal.py - the running daemon's journal: `make_journal.py DIRECTORY` prints what it holds.

Two models, three streams, a reset, a snapshot in the middle; each STREAM:FROM printed is a replay
from the beginning, or from the snapshot.
"""
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import daemon as D
import sp

DEMO = os.path.join(D.ROOT, "config", "demo", "demo.onnx")
N = 400


def main(directory):
    daemon = D.Daemon(start=False)
    daemon.write(daemon.default(
        models=[{"name": "ecg", "file": DEMO, "streams": ["ecg/*"]},
                {"name": "small", "file": D.MODEL, "streams": ["*"]}],
        journal={"segment_bytes": 16384}))
    daemon.start()
    with daemon:
        with sp.Req(daemon.url("ack")) as req:
            for k in range(N):
                at = [(k * 37 % 101) / 50 - 1, (k * 11 % 23) / 7 - 1.5, (k % 5) * 0.3]
                values = struct.pack("<3f", *at)
                D.feed(req, [D.frame("ecg/1", values[:4]), D.frame("a", values),
                             D.frame("b", values, reset=k == N // 3)])
                if k == N // 2:
                    daemon.control("snapshot")
                    D.wait_until(lambda: daemon.status()["journal"]["snapshots"], "a snapshot")
        assert daemon.terminate() == 0
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(os.path.join(daemon.directory, "journal"), directory)
    for stream in ("ecg/1", "a", "b"):
        for first in (1, N // 2 + 20):
            print("%s:%d" % (stream, first))


if __name__ == "__main__":
    main(sys.argv[1])
