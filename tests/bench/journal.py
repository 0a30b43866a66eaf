#!/usr/bin/python3
"""journal.py - what the journal costs, and how fast the past comes back.

    throughput      frames per second with `sync: interval` against `journal: off`
    recovery        a million frames behind the snapshot, against stepping the same frames alone
    replay          an hour of the demo's electrocardiogram (1.3 million timesteps), likewise

Prints a line each; --frames and --timesteps make it shorter.
"""
import argparse
import ctypes
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import daemon as D
import library
import sp

DEMO = os.path.join(D.ROOT, "config", "demo", "demo.onnx")
N_STREAMS = 64
A_MESSAGE = 64 * N_STREAMS


def messages(n_values, n_frames, n_streams=N_STREAMS):
    """Messages of many frames, each with its seq."""
    some, seq = [], 0
    while n_frames > 0:
        body = []
        for _ in range(A_MESSAGE // n_streams):
            seq += 1
            values = struct.pack("<%df" % n_values, *[(seq * 37 % 101) / 50 - 1] * n_values)
            body += [D.frame("ecg/%d" % i, values, seq=seq, ts=seq) for i in range(n_streams)]
        some.append(b"".join(body))
        n_frames -= len(body)
    return some


def started(journal, **more):
    daemon = D.Daemon(start=False)
    config = daemon.default(models=[{"name": "ecg", "file": DEMO, "streams": ["*"]}], taps=[],
                            journal=journal, **more)
    daemon.write(config)
    daemon.start()
    return daemon


def fed(daemon, some):
    """Seconds until all frames of the messages were accepted."""
    n = sum(len(body) for body in some)
    began = time.monotonic()
    with sp.Req(daemon.url("ack"), 120) as req:
        last = [req.ask(body) for body in some[:1]]
        for body in some[1:]:
            req.answer()
            last.append(req.ask(body))
        req.answer()
    return time.monotonic() - began, n


def throughput(n_values, n_frames):
    some = messages(n_values, n_frames)
    n = len(some) * A_MESSAGE
    best = {}
    for _ in range(3):
        for name, journal in (("off", "off"), ("interval", {})):
            with started(journal) as daemon:
                seconds, _ = fed(daemon, some)
                best[name] = min(seconds, best.get(name, 1e9))
    print("throughput: off %.0f frames/s, interval %.0f frames/s: %.2f"
          % (n / best["off"], n / best["interval"], best["off"] / best["interval"]))


def stepping(n_streams, n_steps):
    """Seconds per timestep of one stream, stepped alone by the library."""
    network = library.Network(DEMO)
    library_ = network.library
    panel = ctypes.c_void_p()
    library_.celltap_panel_new(network.model, ctypes.c_size_t(n_streams), ctypes.byref(panel))
    streams = (ctypes.c_void_p * n_streams)(*[network.stream() for _ in range(n_streams)])
    x = (ctypes.c_float * network.n_values)(*[0.3] * network.n_values)
    xs = (ctypes.POINTER(ctypes.c_float) * n_streams)(*[x] * n_streams)
    arguments = (panel, streams, xs, ctypes.c_size_t(n_streams), ctypes.c_size_t(network.n_values))
    best = 1e9
    for _ in range(3):
        began = time.monotonic()
        for _ in range(n_steps):
            library_.celltap_step_many(*arguments)
        best = min(best, (time.monotonic() - began) / (n_steps * n_streams))
    return best


def recovery(n_values, n_frames):
    some = messages(n_values, n_frames)
    with started({"snapshot_every": 1 << 40, "retain_bytes": "64G"}) as daemon:
        fed(daemon, some)
        daemon.process.kill()
        daemon.process.wait()
        daemon.notify.close()
        began = time.monotonic()
        daemon.start(wait=False)
        daemon.wait_notified("READY=1", 300)
        whole = time.monotonic() - began
        n, ms = map(int, re.findall(r"(\d+) frames stepped again in (\d+) ms", daemon.log())[-1])
        alone = stepping(N_STREAMS, 2000) * n
        print("recovery: %d frames in %.2f s (start to READY %.2f s), stepped alone %.2f s: %.2f"
              % (n, ms / 1000, whole, alone, alone / (ms / 1000)))


def replay(n_values, n_steps):
    some = messages(n_values, n_steps, 1)
    with started({"retain_bytes": "64G"}) as daemon, tempfile.TemporaryDirectory() as out:
        fed(daemon, some)
        journal = os.path.join(daemon.directory, "journal")
        best = 1e9
        for _ in range(2):
            began = time.monotonic()
            said = subprocess.run(
                ["/usr/bin/time", "-f", "%M", os.path.join(D.BUILD, "celltap"), "replay", "ecg/0",
                 "1..%d" % n_steps, "--journal", journal, "--layers", "@output", "-o", out],
                check=True, capture_output=True, text=True) if os.path.exists("/usr/bin/time") \
                else subprocess.run(
                    [os.path.join(D.BUILD, "celltap"), "replay", "ecg/0", "1..%d" % n_steps,
                     "--journal", journal, "--layers", "@output", "-o", out],
                    check=True, capture_output=True, text=True)
            best = min(best, time.monotonic() - began)
        alone = stepping(1, 50000) * n_steps
        print("replay: %d timesteps in %.2f s, stepped alone %.2f s: %.2f %s"
              % (n_steps, best, alone, alone / best, said.stderr.strip()))


def main():
    parser = argparse.ArgumentParser(description="What the journal costs.")
    parser.add_argument("--frames", type=int, default=1000000)
    parser.add_argument("--timesteps", type=int, default=1300000)
    options = parser.parse_args()
    n_values = library.Network(DEMO).n_values
    throughput(n_values, options.frames)
    recovery(n_values, options.frames)
    replay(n_values, options.timesteps)


if __name__ == "__main__":
    main()
