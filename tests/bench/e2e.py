#!/usr/bin/python3
"""e2e.py - the whole path under load: a producer, celltapd, subscribers that check every record.

    e2e.py --build DIR [--quick] [--only TEXT] [--no-peers]

An LSTM 16 -> 64 -> 64 with a dense layer of 4 behind it; a tap of output, h and c of all layers.
Measured: frames/s without loss, CPU of the daemon per frame, latency at a tenth of the load, the
same over 1 to 100,000 streams and 1 to 100 subscribers, an open tap that nobody listens to, memory
of idle streams; beside it ../shared/peers/hooks_*.py (PyTorch with hooks behind ZeroMQ) if it is
there, in the same run.  Wall-clock figures are the best of several runs, CPU the least; --quick
makes fewer and shorter ones.  Results go to DIR/bench-e2e.json.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import daemon as D
import models

ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = os.path.join(ROOT, "..", "shared", "peers")
STREAMS = 100
CURVE = 1, 10, 100, 1000, 10000, 100000
SUBSCRIBERS = 1, 10, 100


class Bench:
    def __init__(self, args):
        self.args = args
        self.model = os.path.abspath(os.path.join(args.build, "bench", "e2e.onnx"))
        os.makedirs(os.path.dirname(self.model), exist_ok=True)
        models.write(self.model, "LSTM", (16, 64, 64), 4)
        self.results = {}

    def daemon(self, group="tap", taps=True, journal=True, awake=False):
        """The daemon with one model for all streams and one tap; the journal at its defaults.
        awake: idle processors do not sleep."""
        config = {"models": [{"name": "m", "file": self.model, "streams": ["*"]}],
                  "max_streams": 2 * CURVE[-1]}
        if awake:
            config["cpu_dma_latency_us"] = 0
        daemon = D.Daemon(config, start=False)
        config["ingest"] = [{"socket": "pull", "listen": [daemon.url("in")]}]
        if not journal:
            config["journal"] = "off"
        if taps:
            config["taps"] = [{"name": "t", "listen": [daemon.url("t")], "group": group,
                               "tensors": ["output", "h", "c"], "queue": 8192}]
        daemon.write(config)
        daemon.start()
        return daemon

    def run(self, daemon, **options):
        """One run: what e2e prints."""
        words = ["%s=%d" % option for option in options.items()]
        got = subprocess.run(
            [os.path.join(self.args.build, "tests/bench/e2e"), self.model, daemon.url("in"),
             daemon.url("t"), daemon.url("control"), str(daemon.process.pid)] + words,
            stdout=subprocess.PIPE, text=True, check=False)
        if got.returncode != 0:
            sys.exit("e2e.py: a run has failed: " + " ".join(words))
        return json.loads(got.stdout)

    def best(self, n, group="tap", journal=True, **options):
        """The best of n runs, each with a daemon of its own; CPU is the least of them."""
        runs = []
        for _ in range(1 if self.args.quick else n):
            with self.daemon(group, journal=journal) as daemon:
                runs.append(self.run(daemon, **options))
        best = max(runs, key=lambda run: run["frames_per_s"])
        best["cpu_us_per_frame"] = min(run["cpu_us_per_frame"] for run in runs)
        return best

    def frames(self, n):
        return n // 10 if self.args.quick else n


# ---- what is measured: each prints its line and returns what goes into the file -------------------

def throughput(bench):
    """Frames/s without loss by the tap's group, and with one frame per message."""
    found = {}
    for name, group, journal, per_message in (
            ("tap", "tap", True, 64), ("tap, no journal", "tap", False, 64),
            ("stream", "stream", True, 64), ("layer", "layer", True, 64),
            ("tap, a frame a message", "tap", True, 1)):
        run = bench.best(5 if name == "tap" else 2, group, journal, streams=STREAMS,
                         frames=bench.frames(400000 if name == "tap" else 100000),
                         per_message=per_message)
        found[name] = run
        print("group %-22s %8d frames/s  %6.2f us CPU a frame  %5.2f messages a frame" % (
            name, run["frames_per_s"], run["cpu_us_per_frame"],
            run["messages"] / run["records"] * 4), flush=True)
    return found


def latency(bench, frames_per_s):
    """At a tenth of 150,000 frames/s and of what is sustained, each frame a message of its own; with journal, without;
    with processors that stay awake (`cpu_dma_latency_us: 0`; on a kernel that lets us) and as they are."""
    found = {}
    tenth = int(frames_per_s / 10)
    for journal, awake, rate in ((True, True, 15000), (True, False, 15000), (False, False, 15000),
                                 (True, True, tenth), (True, False, tenth)):
        runs = []
        for _ in range(1 if bench.args.quick else 2):
            with bench.daemon(journal=journal, awake=awake) as daemon:
                runs.append(bench.run(daemon, streams=STREAMS, per_message=1,
                                      frames=bench.frames(3 * rate), rate=rate))
        best = min(runs, key=lambda run: run["p50_us"])
        how = ("journal" if journal else "no journal") + (", awake" if awake else "")
        found["%d/s, %s" % (rate, how)] = best
        print("at %d frames/s, %-14s p50 %.0f us  p99 %.0f us  p99.9 %.0f us" % (
            best["frames_per_s"], how, best["p50_us"], best["p99_us"], best["p999_us"]),
            flush=True)
    return found


def over_streams(bench):
    curves = {}
    for journal in False, True:
        curve = []
        for n in CURVE:
            run = bench.best(2, journal=journal, streams=n, frames=bench.frames(300000))
            curve.append(run)
            print("%6d streams%-12s %8d frames/s  %6.2f us CPU a frame  %6.1f MiB" % (
                n, "" if journal else ", no journal", run["frames_per_s"],
                run["cpu_us_per_frame"], run["rss_mib"]), flush=True)
        at = {run["streams"]: run["frames_per_s"] for run in curve}
        print("100,000 streams against 100: %.2f" % (at[100000] / at[100]), flush=True)
        curves["journal" if journal else "no journal"] = curve
    return curves


def over_subscribers(bench):
    curve = []
    for n in SUBSCRIBERS:
        curve.append(bench.best(2, streams=STREAMS, subscribers=n,
                                frames=bench.frames(200000) // n))
        print("%6d subscribers      %8d frames/s  %6.2f us CPU a frame  %6.1f MiB" % (
            n, curve[-1]["frames_per_s"], curve[-1]["cpu_us_per_frame"], curve[-1]["rss_mib"]),
            flush=True)
    return curve


def unheard(bench):
    """CPU per frame with a tap that nobody listens to against none: one daemon, turn by turn."""
    shares, selection = [], {"tensors": ["output", "h", "c"]}
    with bench.daemon(taps=False, journal=False) as daemon:
        def cpu():
            return bench.run(daemon, subscribers=0, streams=STREAMS, seqs=0,
                             frames=bench.frames(300000))["cpu_us_per_frame"]
        cpu()
        for _ in range(3 if bench.args.quick else 15):
            without = cpu()
            tap = daemon.control("tap.open", **selection)
            shares.append(cpu() / without - 1)
            daemon.control("tap.close", name=tap["name"])
    share = statistics.median(shares)
    print("a tap that nobody listens to: %+.1f %% CPU a frame (of %s)" % (
        100 * share, " ".join("%+.1f" % (100 * one) for one in sorted(shares))), flush=True)
    return share


def least_mib(daemon):
    """What is resident when nothing is under way: the least within 2 s, in which it tidies up."""
    least, until = daemon.rss_bytes(), time.monotonic() + 2
    while time.monotonic() < until:
        least = min(least, daemon.rss_bytes())
        time.sleep(0.05)
    return least / 2**20


def idle(bench):
    """MiB resident with 100,000 streams that have had one frame each, and nobody listening."""
    with bench.daemon(taps=False) as daemon:
        bench.run(daemon, subscribers=0, streams=CURVE[-1], frames=1000)
        mib = least_mib(daemon)
    print("%d idle streams: %.1f MiB resident" % (CURVE[-1], mib), flush=True)
    return mib


def run_peers(urls, frames):
    """What the two programs print; "" if one fails or hangs."""
    server = subprocess.Popen([sys.executable, os.path.join(PEERS, "hooks_server.py")] + urls,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    command = [sys.executable, os.path.join(PEERS, "hooks_client.py")] + urls + [str(frames)]
    try:
        # Its client would lose the first records, and wait for them, if it came earlier.
        D.wait_until(lambda: server.poll() is not None or
                     os.path.exists(urls[1][len("ipc://"):]), "the Python stack", 60)
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, start_new_session=True)
        try:
            said = client.communicate(timeout=90)[0]
        except subprocess.TimeoutExpired:
            os.killpg(client.pid, signal.SIGKILL)  # its subscriber is a process too
            return ""
        return said + server.communicate(timeout=20)[0]
    except (TimeoutError, subprocess.TimeoutExpired):
        return ""
    finally:
        server.kill()
        server.wait()


def python_stack(frames):
    """The peers' figures, or None where they cannot run."""
    if not os.path.exists(os.path.join(PEERS, "hooks_server.py")):
        return None
    with tempfile.TemporaryDirectory() as directory:
        said = run_peers(["ipc://%s/%s" % (directory, name) for name in ("in", "out")], frames)
    number = r"([\d.]+)"
    found = {}
    for name, pattern in (("frames_per_s", "saturated frames/s " + number),
                          ("p50_us", "p50 %s us" % number), ("p99_us", "p99 %s us" % number),
                          ("cpu_us_per_frame", "server CPU us/frame " + number)):
        match = re.search(pattern, said)
        if match is None:
            print("the Python stack does not run here (python3-torch, -zmq, -msgpack)")
            return None
        found[name] = float(match[1])
    print("PyTorch, ZeroMQ         %8d frames/s  %6.2f us CPU a frame  p50 %.0f us  p99 %.0f us" % (
        found["frames_per_s"], found["cpu_us_per_frame"], found["p50_us"], found["p99_us"]),
        flush=True)
    return found


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = re.search(r"model name\s*: (.*)", file.read())
    return {"cpu": name[1] if name else os.uname().machine, "cores": os.cpu_count(),
            "kernel": os.uname().release, "load": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--only", default="", help="of: throughput streams subscribers unheard idle")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    bench = Bench(args)
    results = {"machine": machine()}
    print("%(cpu)s, %(cores)d cores, Linux %(kernel)s; load before %(load).1f" % results["machine"])
    steps = {"throughput": throughput, "streams": over_streams, "subscribers": over_subscribers,
             "unheard": unheard, "idle": idle}
    for name, step in steps.items():
        if args.only not in name:
            continue
        results[name] = step(bench)
        if name != "throughput":
            continue
        best = results[name]["tap"]["frames_per_s"]
        results["latency"] = latency(bench, best)
        peer = None if args.no_peers else python_stack(bench.frames(10000))
        results["python"] = peer
        if peer:
            results["ratio"] = best / peer["frames_per_s"]
            print("celltapd is %.0f times as fast" % results["ratio"], flush=True)
    with open(os.path.join(args.build, "bench-e2e.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
