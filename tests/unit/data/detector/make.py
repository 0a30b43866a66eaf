#!/usr/bin/python3
"""make.py - the detector's recipe in numpy, and series of its verdicts for test_detector.c.

    make.py BUILD     celltap of BUILD gives the states; writes *.csv beside this script

Columns: x0.. values, s_state, s_error, g_state (with the ranges), g_error, g, score.  The inverse of
the Cholesky factor, the tail and the rules are float64 and libm's here.
"""
import csv
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../../..")
# Model, channels, timesteps, warm-up.
CASES = [("torch_univariate", 1, 1500, 400), ("torch_forecaster", 4, 1200, 300)]
BINS, TOP, SKIP = 64, math.log1p(1000.0), 20


class View:
    def __init__(self, d, warmup, ridge):
        self.d, self.warmup, self.ridge, self.t, self.k = d, warmup, ridge, 0, 0
        self.mean, self.scatter = np.zeros(d), np.zeros((d, d))
        self.s, self.bins, self.weight = 1.0, np.zeros(BINS), 1.0
        self.bins[0] = self.total = float(warmup)

    def step(self, u):
        self.t += 1
        if self.t <= self.warmup:
            if self.t > SKIP:
                self.k += 1
                delta = u - self.mean
                self.mean += delta / self.k
                self.scatter += (self.k - 1) / self.k * np.outer(delta, delta)
            if self.t == self.warmup:
                self.freeze()
            return 0.0
        y = self.whiten @ (u - self.mean)
        self.s += (math.sqrt(float(y @ y) / self.d) - self.s) / 8
        return self.tail(self.s)

    def freeze(self):
        d, n = self.d, self.k
        cov = self.scatter / (n - 1)
        trace, squares = np.trace(cov), float((cov * cov).sum())
        part = (1 - 2 / d) * squares + trace * trace
        whole = (n + 1 - 2 / d) * (squares - trace * trace / d)
        gamma = min(max(part / whole, 0.0), 1.0) if whole > 0 else 1.0
        cov = (1 - gamma) * cov + (gamma * trace / d + self.ridge) * np.eye(d)
        self.whiten = np.linalg.inv(np.linalg.cholesky(cov))

    def tail(self, s):
        w = TOP / BINS
        q = min(math.log1p(s), TOP * (1 - 1e-12))
        b = int(q / w)
        count = self.bins[b] * ((b + 1) * w - q) / w + self.bins[b + 1:].sum()
        p = count / self.total
        if p < 0.01:
            j, area = BINS - 1, self.bins[-1]
            while j > 0 and area < 0.01 * self.total:
                j -= 1
                area += self.bins[j]
            excess = sum(self.bins[i] * (i + 0.5 - j) for i in range(j, BINS)) * w / area
            p = area / self.total * math.exp(-(q - j * w) / max(excess, w))
            if count > 0:
                p = min(p, (count + self.weight) / self.total)
        self.bins[b] += self.weight
        self.total += self.weight
        self.weight /= 1 - 1 / 2000
        return -math.log10(max(p, 1e-30))


def judge(u, e, v, warmup):
    state, error = View(u.shape[1], warmup, 1e-6), View(e.shape[1], warmup, 1e-2)
    low, high, memory, rows = v[0].copy(), v[0].copy(), 0.0, []
    for t in range(len(u)):
        g_state, g_error = state.step(u[t]), error.step(e[t])
        span, out = high - low, np.maximum(v[t] - high, low - v[t])
        for k in np.flatnonzero((span > 0) & (out > 0.03 * span)):
            if t >= warmup:
                g_state = max(g_state, 5.0 + min(out[k] / span[k], 20.0))
        low, high = np.minimum(low, v[t]), np.maximum(high, v[t])
        g = max(g_state, g_error - 1) if t >= warmup else 0.0
        memory *= 2 ** -0.01
        score = g if g > 1.2 * memory else 0.0
        memory = max(memory, score) if score else memory
        rows.append([state.s, error.s, g_state, g_error, g, score])
    return np.array(rows)


def series(n_channels, n, seed):
    """Waves with noise; a jump, a burst of noise, and a sensor that stops."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None] + 13 * np.arange(n_channels)
    x = np.sin(t / 9) + 0.4 * np.sin(t / 3.7) + 0.15 * rng.standard_normal((n, n_channels))
    x[n * 6 // 10, 0] += 5
    x[n * 7 // 10:n * 7 // 10 + 25] += rng.standard_normal((25, n_channels))
    x[n * 9 // 10:, -1] = x[n * 9 // 10, -1]
    return x.astype(np.float32)


def extract(build, model, x):
    with tempfile.TemporaryDirectory() as out:
        data = os.path.join(out, "x.csv")
        np.savetxt(data, x, fmt="%.9g", delimiter=",")
        subprocess.run([os.path.join(build, "celltap"), "extract", model, data, "-o", out,
                        "--time", "none"], check=True, stdout=subprocess.DEVNULL)
        states = [np.load(os.path.join(out, layer, tensor + ".npy")).astype(float)
                  for layer in sorted(os.listdir(out)) for tensor in ("h", "c")
                  if os.path.exists(os.path.join(out, layer, tensor + ".npy"))]
        return np.hstack(states), np.load(os.path.join(out, "@output", "y.npy")).astype(float)


def main():
    build = sys.argv[1]
    for name, n_channels, n, warmup in CASES:
        model = os.path.join(ROOT, "tests/golden", name, "opset17.onnx")
        x = series(n_channels, n, 7)
        u, y = extract(build, model, x)
        e = np.zeros_like(x, dtype=float)
        e[1:] = np.clip(x[1:] - y[:-1], -50, 50)
        verdicts = judge(u, e, x.astype(float), warmup)
        with open(os.path.join(HERE, name + ".csv"), "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["x%d" % k for k in range(n_channels)] +
                            ["s_state", "s_error", "g_state", "g_error", "g", "score"])
            for values, verdict in zip(x, verdicts):
                writer.writerow(["%.9g" % value for value in values] +
                                ["%.7g" % number for number in verdict])


if __name__ == "__main__":
    main()
