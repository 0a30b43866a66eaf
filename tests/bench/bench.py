#!/usr/bin/python3
"""bench.py - how long a timestep takes, beside this machine's limit and beside its peers.

    bench.py --build DIR [--seconds S] [--case TEXT] [--no-peers]

For each case, in one run: ns per timestep of the whole batch (quietest and median block), the limit
of the machine, the ratio, and the peers that are installed.  The limit of a batch of B is

    max(bytes of weights / bandwidth of the cache level they fit in,
        2 B MACs / fma rate) + B H activation functions

with the rates that the same run has measured, and 0.32 ns for each function of a value: an LSTM
computes 5 of them per unit, a GRU 3, an RNN 1.  The last lines are what a detector adds to a
timestep, and the bytes of a stream with one.  Results go to DIR/bench.json: a list of
{"case", "ns", "limit_ns", "ratio", "peers": {name: ns}}.
"""
import argparse
import importlib.util
import json
import os
import subprocess
import sys

import models

BATCHES = 1, 8, 64
NS_PER_FUNCTION = 0.32
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 5, "GRU": 3, "RNN": 1}
CASES = [("LSTM", sizes) for sizes in ((1, 8), (8, 16), (8, 32), (16, 64), (32, 128), (64, 256),
                                       (64, 512), (16, 64, 64), (3, 33), (7, 100))]
CASES += [(kind, sizes) for kind in ("GRU", "RNN") for sizes in ((16, 64), (32, 128), (7, 100))]


def limit_ns(machine, kind, sizes, batch):
    total = 0
    for n_inputs, n_units in zip(sizes, sizes[1:]):
        macs = GATES[kind] * n_units * (n_inputs + n_units)
        level = next(one for one in machine["levels"]
                     if one["bytes"] >= 4 * macs or one["bytes"] == 0)
        total += max(4 * macs / level["gb_s"], 2 * batch * macs / machine["fma_gflops"])
        total += batch * n_units * FUNCTIONS[kind] * NS_PER_FUNCTION
    return total


def run(*command):
    """What a program prints; one thread each, as a timestep has."""
    alone = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone).stdout


def peers_here(args):
    """{name: command} of the peers that are there; a line about each that is not."""
    onednn = os.path.join(args.build, "tests/bench/peer_onednn")
    here = {}
    if os.path.exists(onednn):
        here["oneDNN"] = [onednn]
    else:
        print("note: without oneDNN: libdnnl-dev is not installed")
    if importlib.util.find_spec("torch"):
        here["PyTorch"] = [sys.executable, os.path.join(HERE, "peer_torch.py")]
    else:
        print("note: without PyTorch: python3-torch is not installed")
    return here


def peers_of(args, kind, sizes, batch):
    """{name: quietest ns} of the peers that are there and can do this."""
    found = {}
    words = [kind, str(batch), str(args.seconds)] + [str(size) for size in sizes]
    for name, command in args.peers.items():
        try:
            found[name] = float(run(*command, *words))
        except subprocess.CalledProcessError:
            pass  # it has said why
    return found


def measure(args, machine, kind, sizes, batch):
    name = "%s %s x %d" % (kind, "->".join(map(str, sizes)), batch)
    model = os.path.join(args.build, "bench", "%s-%s.onnx" % (kind, "-".join(map(str, sizes))))
    models.write(model, kind, sizes)
    step = os.path.join(args.build, "tests/bench/step")
    quietest, median = map(float, run(step, model, str(batch), str(args.seconds)).split())
    limit = limit_ns(machine, kind, sizes, batch)
    peers = peers_of(args, kind, sizes, batch)
    return {"case": name, "ns": quietest, "median_ns": median, "limit_ns": round(limit, 1),
            "ratio": round(quietest / limit, 3), "peers": peers}


def detectors(args):
    """What a detector adds to a timestep, for models of one channel and of three."""
    print("%-22s %10s %10s %10s" % ("one stream", "step ns", "detector", "bytes"))
    for sizes, n_outputs in ((1, 32), 0), ((1, 32), 1), ((3, 32), 3), ((16, 64), 16):
        name = "LSTM %d->%d%s" % (sizes + (", forecast" if n_outputs else "",))
        model = os.path.join(args.build, "bench", "detector.onnx")
        models.write(model, "LSTM", sizes, n_outputs=n_outputs)
        program = os.path.join(args.build, "tests/bench/detector")
        print("%-22s %10s %10s %10s" % (name, *run(program, model, "1", str(args.seconds)).split()),
              flush=True)


def blas_note():
    """Debian's PyTorch takes whatever libblas.so.3 is; the reference one is many times slower."""
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"):
        blas = os.path.realpath(os.path.join(folder, "libblas.so.3"))
        if "/blas/" in blas:
            return "PyTorch computes with the reference BLAS here; libopenblas0-pthread is its best"
    return ""


def line(result):
    peers = "  ".join("%s %.1f x" % (name, ns / result["ns"])
                      for name, ns in result["peers"].items())
    return "%-22s %10.0f %10.0f %10.0f %7.2f  %s" % (
        result["case"], result["ns"], result["median_ns"], result["limit_ns"], result["ratio"],
        peers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--case", default="", help="only cases that contain this")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    os.makedirs(os.path.join(args.build, "bench"), exist_ok=True)
    machine = json.loads(run(os.path.join(args.build, "tests/bench/machine"), "1"))
    print("fma %.0f GFLOP/s; loads feeding it: %s GB/s" % (
        machine["fma_gflops"],
        ", ".join("%s %.0f" % (one["name"], one["gb_s"]) for one in machine["levels"])))
    args.peers = {} if args.no_peers else peers_here(args)
    if "PyTorch" in args.peers and blas_note():
        print("note: " + blas_note())
    print("%-22s %10s %10s %10s %7s  %s" % ("case", "ns", "median", "limit", "ratio",
                                            "peers take"))
    results = []
    for kind, sizes in CASES:
        for batch in BATCHES:
            if args.case in "%s %s x %d" % (kind, "->".join(map(str, sizes)), batch):
                results.append(measure(args, machine, kind, sizes, batch))
                print(line(results[-1]), flush=True)
    if args.case in "detector":
        detectors(args)
    with open(os.path.join(args.build, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__":
    main()
