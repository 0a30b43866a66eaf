#!/usr/bin/python3
"""nab_train.py - the benchmark's score with a model of its own for each series.

    nab_train.py NAB_DIR OUT_DIR [--seeds 1 2 3] [--epochs 8] [-- --smooth 5 --range-smooth 20]

For each seed: an LSTM 3->32 for each series (value, sine and cosine of the time of day), trained on
the series' probation alone (the first 15 % of its rows, at most 750) to forecast the value; then
`celltap score` with that model, the same options for all series (what is behind --; by default as
above), and the standard score at the best threshold: for every other series, for the rest at the
threshold of these, for all.  BUILD (build) and SCORER can be set.

All series are trained side by side: models [M], windows [B] of 64 timesteps.  Python with torch
and onnx; a few seconds of one core for a seed.
"""
import argparse
import csv
import importlib.util
import os
import subprocess
import sys
from datetime import datetime

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

UNITS, WINDOW, BURN_IN = 32, 64, 8  # no loss on the first timesteps of a window
BUILD = os.environ.get("BUILD", "build")
SCORER = os.environ.get("SCORER", "../shared/detect/nab_score.py")


class Series:
    """What the network gets of a series' probation: [n][value, sine, cosine]."""

    def __init__(self, folder, name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        self.name, self.warmup = name, min(len(rows) * 15 // 100, 750)
        values = np.array([float(row[1]) for row in rows[:self.warmup]])
        times = [datetime.fromisoformat(row[0]) for row in rows[:self.warmup]]
        turns = [(time.hour * 3600 + time.minute * 60 + time.second) / 86400 * 2 * np.pi
                 for time in times]
        z = (values - values.mean()) / (values.std() or 1)
        self.x = np.stack([z.clip(-6, 6), np.sin(turns), np.cos(turns)], 1).astype(np.float32)


def uniform(generator, *shape):
    """Weights as PyTorch begins: +-1 / sqrt(units)."""
    return (torch.rand(*shape, generator=generator) * 2 - 1) / UNITS ** 0.5


def run_lstm(x, weight, bias):
    """x [M][B][WINDOW][3] -> h [M][B WINDOW][UNITS]; gates in ONNX's order i, o, f, c."""
    n_models, n_windows = x.shape[:2]
    h = c = torch.zeros(n_models, n_windows, UNITS)
    states = []
    for t in range(WINDOW):
        z = torch.baddbmm(bias, torch.cat([x[:, :, t], h], 2), weight)
        i, o, f = torch.sigmoid(z[:, :, :3 * UNITS]).split(UNITS, 2)
        c = f * c + i * torch.tanh(z[:, :, 3 * UNITS:])
        h = o * torch.tanh(c)
        states.append(h)
    return torch.stack(states, 2).reshape(n_models, n_windows * WINDOW, UNITS)


def train(series, seed, epochs, rate):
    """-> weight [M][3 + UNITS][4 UNITS], bias [M][1][4 UNITS], head [M][UNITS][1], offset [M][1][1]
    """
    generator = torch.Generator().manual_seed(seed)
    n_models, longest = len(series), max(one.warmup for one in series)
    x, known = torch.zeros(n_models, longest, 3), torch.zeros(n_models, longest)
    for m, one in enumerate(series):
        x[m, :one.warmup] = torch.from_numpy(one.x)
        known[m, :one.warmup - 1] = 1  # the next value is there
    parameters = [uniform(generator, n_models, 3 + UNITS, 4 * UNITS),
                  uniform(generator, n_models, 1, 4 * UNITS) + uniform(generator, n_models, 1,
                                                                       4 * UNITS),
                  uniform(generator, n_models, UNITS, 1), torch.zeros(n_models, 1, 1)]
    for parameter in parameters:
        parameter.requires_grad_()
    optimizer = torch.optim.Adam(parameters, lr=rate)
    following = torch.roll(x[:, :, 0], -1, 1)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = rate * (1 + np.cos(np.pi * epoch / epochs)) / 2
        first = int(torch.randint(0, WINDOW, (1,), generator=generator))
        starts = range(first, longest - WINDOW + 1, WINDOW)
        cut = [torch.stack([whole[:, at:at + WINDOW] for at in starts], 1)
               for whole in (x, following, known)]
        weight, bias, head, offset = parameters
        forecast = torch.baddbmm(offset, run_lstm(cut[0], weight, bias), head)
        counts = cut[2].clone()
        counts[:, :, :BURN_IN] = 0
        loss = torch.nn.functional.smooth_l1_loss(forecast.reshape(cut[1].shape), cut[1],
                                                  reduction="none")
        loss = (loss * counts).sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    return [parameter.detach().numpy() for parameter in parameters]


def export(path, weight, bias, head, offset):
    """One model: x [time][1][3] -> y [time][1][1]."""
    tensors = {"W": weight[:3].T[None], "R": weight[3:].T[None],
               "B": np.concatenate([bias[0], np.zeros(4 * UNITS)])[None], "V": head,
               "b": offset[0]}
    nodes = [helper.make_node("LSTM", ["x", "W", "R", "B"], ["Y"], hidden_size=UNITS,
                              name="/lstm/LSTM"),
             helper.make_node("Squeeze", ["Y", "one"], ["h"]),
             helper.make_node("MatMul", ["h", "V"], ["z"], name="/head/MatMul"),
             helper.make_node("Add", ["z", "b"], ["y"], name="/head/Add")]
    weights = [numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
               for name, array in tensors.items()]
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["time", 1, n])]
             for name, n in (("x", 3), ("y", 1))]
    model = helper.make_model(helper.make_graph(nodes, "nab", *ports, weights),
                              opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.save(model, path)


def score(folder, one, model, out, options):
    """The scores of a series, one a line after a line of text, as the scorer wants them."""
    text = subprocess.run([os.path.join(BUILD, "celltap"), "score", model,
                           os.path.join(folder, one.name), "--clock", "day", "--scale", "learn",
                           "--warmup", str(one.warmup)] + options,
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(out, "w", encoding="utf-8") as file:
        file.writelines(line.split(",")[2] + "\n" for line in text.splitlines())


def normal(scorer, files, which):
    """(thresholds, standard scores) of the files for which which(index) is true."""
    raw = [np.concatenate(column) for column in
           zip(*(file for k, file in enumerate(files) if which(k)))]
    thresholds, gains, silent = scorer.sweep(*raw, "standard")
    return thresholds, 100 * (gains - silent) / -2 / silent


def halves(nab_dir, out, series):
    """(first half's best, the second half at that threshold, all at their best)."""
    spec = importlib.util.spec_from_file_location("nab_score", SCORER)
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    value, window, points, keep, _, _ = scorer.load(nab_dir, out)
    files, at = [], 0
    for one in series:
        n = sum(1 for _ in open(os.path.join(nab_dir, one.name), encoding="utf-8")) - 1
        part = slice(at, at + n)
        files.append([array[part][keep[part]] for array in (value, window, points)])
        at += n
    thresholds, first = normal(scorer, files, lambda k: k % 2 == 0)
    others, second = normal(scorer, files, lambda k: k % 2 == 1)
    threshold = thresholds[first.argmax()]
    held = second[np.searchsorted(-others, -threshold, side="right") - 1]
    return first.max(), held, normal(scorer, files, lambda k: True)[1].max()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nab_dir")
    parser.add_argument("out_dir")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3)
    ours, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    options = options or "--smooth 5 --range-smooth 20"
    args = parser.parse_args(ours.split())
    torch.set_num_threads(1)
    names = sorted(os.path.relpath(os.path.join(folder, name), args.nab_dir)
                   for folder, _, files in os.walk(args.nab_dir) for name in files
                   if name.endswith(".csv"))
    series, results = [Series(args.nab_dir, name) for name in names], []
    for seed in args.seeds:
        out = os.path.join(args.out_dir, str(seed))
        learnt = train(series, seed, args.epochs, args.rate)
        for m, one in enumerate(series):
            path = os.path.join(out, one.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            model = os.path.splitext(path)[0] + ".onnx"
            export(model, *(array[m] for array in learnt))
            score(args.nab_dir, one, model, path, options.split())
        if not os.path.exists(SCORER):
            continue
        results.append(halves(args.nab_dir, out, series))
        print("seed %d: every other series %.2f, the others at that threshold %.2f, all %.2f"
              % (seed, *results[-1]), flush=True)
    if results:
        print("mean: %.2f, %.2f, %.2f" % tuple(np.mean(results, 0)))


if __name__ == "__main__":
    main()
