#!/usr/bin/python3
"""journal.py - what the journal costs, and how fast the past comes back.

    throughput      frames per second with `sync: interval` against `journal: off`
    recovery        a million frames behind the snapshot, against stepping the same frames alone
    replay          an hour of the demo's electrocardiogram (1.3 million timesteps), likewise, from
                    its directory and through the running daemon
    latency         frame sent to record received at 10,000 frames/s, with a long replay under way
                    and without

Prints a line each; --frames and --timesteps make it shorter, --only makes one of them.
"""
import argparse
import contextlib
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import msgpack

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


def stepping(n_streams):
    """Seconds per timestep of one stream among n that are stepped together, by the library alone."""
    said = subprocess.run([os.path.join(D.BUILD, "tests/bench/step"), DEMO, str(n_streams), "0.5"],
                          check=True, capture_output=True, text=True).stdout
    return float(said.split()[0]) * 1e-9 / n_streams


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
        alone = stepping(N_STREAMS) * n
        print("recovery: %d frames in %.2f s (start to READY %.2f s), stepped alone %.2f s: %.2f"
              % (n, ms / 1000, whole, alone, alone / (ms / 1000)))


def timed_replay(n_steps, where):
    """Seconds, and what it says: resident KiB, if time(1) is there."""
    with tempfile.TemporaryDirectory() as out:
        command = [os.path.join(D.BUILD, "celltap"), "replay", "ecg/0", "1..%d" % n_steps, *where,
                   "--layers", "@output", "-o", out]
        if os.path.exists("/usr/bin/time"):
            command = ["/usr/bin/time", "-f", "%M KiB"] + command
        began = time.monotonic()
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        return time.monotonic() - began, said.stderr.strip()


def replay(n_values, n_steps):
    some = messages(n_values, n_steps, 1)
    with started({"retain_bytes": "64G"}) as daemon:
        fed(daemon, some)
        alone = stepping(1) * n_steps
        for name, where in (
                ("a directory", ("--journal", os.path.join(daemon.directory, "journal"))),
                ("the daemon", ("--control", daemon.url("control")))):
            best, said = min(timed_replay(n_steps, where) for _ in range(3))
            print("replay through %s: %d timesteps in %.2f s, stepped alone %.2f s: %.2f %s; "
                  "daemon %d KiB" % (name, n_steps, best, alone, alone / best, said,
                                     daemon.rss_bytes() // 1024), flush=True)


class Replaying:
    """A client that asks for all of a stream's past, over and over, where nobody else wants a
    processor: what it costs is the daemon's work, as for a client on another host."""

    def __init__(self, daemon, stream):
        self.url, self.stream = daemon.url("control"), stream
        self.ending, self.n_bytes = False, 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with sp.Req(self.url, 60) as req:
            cursor = None
            while not self.ending:
                reply = msgpack.unpackb(req.request(msgpack.packb(
                    {"cmd": "replay", "stream": self.stream, "from": cursor or 1})))
                self.n_bytes += len(reply["records"])
                cursor = reply["cursor"]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join()


def one_latency(model, past, replaying):
    """p50 and p99 in us, of a daemon that has a past."""
    daemon = D.Daemon(start=False)
    daemon.write(daemon.default(
        models=[{"name": "m", "file": model, "streams": ["*"]}],
        taps=[{"name": "t", "listen": [daemon.url("t")], "group": "tap",
               "tensors": ["output", "h", "c"], "queue": 8192}]))
    daemon.start()
    with daemon:
        fed(daemon, past)
        with Replaying(daemon, "ecg/0") if replaying else contextlib.nullcontext() as other:
            said = subprocess.run(
                [os.path.join(D.BUILD, "tests/bench/e2e"), model, daemon.url("ingest"),
                 daemon.url("t"), daemon.url("control"), str(daemon.process.pid), "streams=100",
                 "sampled=0", "per_message=1", "frames=30000", "rate=10000"],
                check=True, stdout=subprocess.PIPE, text=True)
        if other:
            print("MiB replayed: %.1f" % (other.n_bytes / 2**20), flush=True)
            assert other.n_bytes > 1 << 20, "the replay did not get on"
        run = json.loads(said.stdout)
        return run["p50_us"], run["p99_us"]


def latency(n_frames, n_pairs=5):
    import models
    model = os.path.abspath(os.path.join(D.BUILD, "bench", "e2e.onnx"))
    os.makedirs(os.path.dirname(model), exist_ok=True)
    models.write(model, "LSTM", (16, 64, 64), 4)
    past, found = messages(16, n_frames, 1), {False: [], True: []}
    for pair in range(2 * n_pairs):
        found[pair % 2 == 1].append(one_latency(model, past, pair % 2 == 1))
    for replaying, runs in found.items():
        print("latency %s a replay: p50 %s us, p99 %s us" % (
            "with" if replaying else "without",
            *(" ".join("%.0f" % run[i] for run in sorted(runs)) for i in (0, 1))))
    for name, of in (("medians", statistics.median), ("quietest runs", min)):
        with_, without = (of(run[1] for run in found[key]) for key in (True, False))
        print("p99 of the %s: %.0f us with, %.0f us without: %.2f" % (
            name, with_, without, with_ / without), flush=True)


def main():
    parser = argparse.ArgumentParser(description="What the journal costs.")
    parser.add_argument("--frames", type=int, default=1000000)
    parser.add_argument("--timesteps", type=int, default=1300000)
    parser.add_argument("--only", default="", help="of: throughput recovery replay latency")
    options = parser.parse_args()
    n_values = library.Network(DEMO).n_values
    steps = {"throughput": lambda: throughput(n_values, options.frames),
             "recovery": lambda: recovery(n_values, options.frames),
             "replay": lambda: replay(n_values, options.timesteps),
             "latency": lambda: latency(options.frames // 5)}
    for name, step in steps.items():
        if options.only in name:
            step()


if __name__ == "__main__":
    main()
