#!/usr/bin/python3
"""soak.py - resident memory of the daemon over many frames, with a subscriber on every layer.

    soak.py [FRAMES]       default 10,000,000; CELLTAP_BUILD says which build

Prints a line per million and fails if memory grows by 1 MiB or more after the first million, or if a
frame is missing.  The subscriber takes part in the pace: the producer may be 25,000 frames ahead.
"""
import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import daemon as D
import sp

PER_MESSAGE, N_STREAMS, LIMIT_BYTES = 1000, 16, 1 << 20


def drain(sub, taken):
    """Takes what comes, and counts its messages' bytes without looking at them."""
    buffer = bytearray(1 << 20)
    try:
        while True:
            n = sub.sock.recv_into(buffer)
            if not n:
                return
            taken[0] += n
    except OSError:
        pass


def settled(daemon):
    """What is resident when nothing is under way: the least within 1.5 s, in which it tidies up."""
    least, until = daemon.rss_bytes(), time.monotonic() + 1.5
    while time.monotonic() < until:
        least = min(least, daemon.rss_bytes())
        time.sleep(0.05)
    return least


def main():
    n_frames = int(sys.argv[1]) if len(sys.argv) > 1 else 10000000
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        sub = daemon.subscribe(daemon.url("all"))
        sub.settimeout(None)
        taken = [0]
        threading.Thread(target=drain, args=(sub, taken), daemon=True).start()
        body = b"".join(D.frame("line/%d" % (i % N_STREAMS), struct.pack("<3f", i / 1e3, 1, -1))
                        for i in range(PER_MESSAGE))
        base, began, worst = None, time.monotonic(), 0
        for n in range(PER_MESSAGE, n_frames + 1, PER_MESSAGE):
            reply = D.msgpack.unpackb(req.request(body))
            assert reply["accepted"] == PER_MESSAGE, reply
            if n % 25000 == 0:  # 2,000 messages, half of what the subscriber's queue holds
                tap = daemon.status()["taps"][0]
                D.wait_until(lambda: taken[0] >= tap["bytes"], "the subscriber to follow")
            if n % 1000000 == 0:
                rss = settled(daemon)
                base = base or rss
                worst = max(worst, rss - base)
                print("%9d frames  %8.1f KiB resident  %+7.1f KiB  %8.0f frames/s" %
                      (n, rss / 1024, (rss - base) / 1024, n / (time.monotonic() - began)),
                      flush=True)
        assert daemon.status()["accepted"] == n_frames
        sub.sock.shutdown(2)
    if worst >= LIMIT_BYTES:
        sys.exit("memory grew by %.1f KiB after the first million" % (worst / 1024))


if __name__ == "__main__":
    main()
