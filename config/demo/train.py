#!/usr/bin/python3
"""train.py - how demo.onnx was made: an LSTM that forecasts the electrocardiogram.

    x[t] mV --+--> baseline: low pass, 0.5 Hz --------------------------------------+
              |         |                                                           v
              +-------> - --scale--> lstm.l0 (48) --> lstm.l1 (48) --> head --> (scale, +)
                                                                                    |
                         50, 100, 150 ms ahead, mV:   x[t+6]  x[t+12]  x[t+18]  <---+

Takes 120 samples a second (recording.py averages three of the 360) in mV, as they come: it
removes the baseline itself and adds it to its forecasts.  The low pass is a recurrent layer of one
unit, too close to 0 for its tanh to bend anything.

Trained on the first minute alone, on pieces of it played up to a quarter faster or slower, weaker
or stronger: what it shall learn is how a beat goes on, not that minute by heart.  So it also stops
early.  Seeded, one thread: the same machine and BLAS give the same file, others one as good
(docs/detection.md has the figures of four seeds).  Needs python3-torch (1.13) and python3-onnx,
which nothing that the demo runs does.  Takes two minutes with OpenBLAS, longer with libblas3.

    root mean square error, mV       50 ms    100 ms    150 ms ahead
    repeat the last sample           0.4702    0.5753    0.6086     (in the four minutes)
    this model, first minute         0.2738    0.2987    0.3356
    this model, the four after it    0.3121    0.3428    0.3728
"""
import argparse
import math
import os

import numpy as np
import torch
from torch import nn

import recording

HERE = os.path.dirname(os.path.abspath(__file__))
HORIZONS = (6, 12, 18)  # timesteps: 50, 100 and 150 ms
BASELINE_HZ = 0.5
BASELINE_SCALE = 0.01  # of a mV, in the low pass: tanh is straight there
N_TRAIN = 60 * recording.RATE_HZ
WINDOW, SETTLE = 200, 70  # timesteps of a training sequence; not judged in it
BATCH, N_STEPS, RATE = 32, 400, 6e-3
STRETCH, STRENGTH = 0.25, 0.25  # of time and of voltage, up and down, as natural logarithms
OPSET = 17


class Forecaster(nn.Module):
    """Millivolt in, millivolt out; knows its own scale."""

    def __init__(self, deviation, n_units=48):
        super().__init__()
        self.register_buffer("deviation", torch.tensor(deviation))
        self.baseline = nn.RNN(1, 1, batch_first=True)
        self.lstm = nn.LSTM(1, n_units, num_layers=2, batch_first=True)
        self.head = nn.Linear(n_units, len(HORIZONS))
        share = 1 - math.exp(-2 * math.pi * BASELINE_HZ / recording.RATE_HZ)
        with torch.no_grad():
            for name, value in self.baseline.named_parameters():
                value.fill_({"weight_ih_l0": share * BASELINE_SCALE,
                             "weight_hh_l0": 1 - share}.get(name, 0))
                value.requires_grad = False

    def ahead(self, y):
        """Forecasts of a trace without its baseline, relative to that: [batch, time, horizons]."""
        h, _ = self.lstm(y / self.deviation)
        return self.head(h) * self.deviation

    def level(self, x):
        h, _ = self.baseline(x)
        return h / BASELINE_SCALE

    def forward(self, x):
        level = self.level(x)
        return self.ahead(x - level) + level


def piece(x, level, draw):
    """A sequence somewhere in the minute, stretched, strengthened, without its baseline: the inputs
    [WINDOW, 1] and, for each, what follows HORIZONS later [WINDOW, horizons]."""
    n = WINDOW + max(HORIZONS)
    pace, strength = np.exp(draw.uniform(-1, 1, 2) * (STRETCH, STRENGTH))
    at = draw.integers(0, len(x) - int(n * pace) - 2) + np.arange(n) * pace
    x, level = (strength * np.interp(at, np.arange(len(x)), values) for values in (x, level))
    wanted = [x[k:k + WINDOW] - level[:WINDOW] for k in HORIZONS]
    return (x - level)[:WINDOW, None], np.stack(wanted, axis=1)


def train(x, seed):
    model = Forecaster(1.0)
    with torch.no_grad():
        level = model.level(torch.tensor(x[None, :, None]))[0, :, 0].numpy()
    model.deviation.fill_(float((x - level).std()))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, N_STEPS)
    draw = np.random.default_rng(seed)
    for step in range(N_STEPS):
        batch = [piece(x, level, draw) for _ in range(BATCH)]
        inputs, wanted = (torch.tensor(np.stack(part), dtype=torch.float32)
                          for part in zip(*batch))
        error = (model.ahead(inputs) - wanted)[:, SETTLE:] / model.deviation
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == N_STEPS - 1:
            print("step %4d  loss %.4f" % (step, loss.item()), flush=True)
    return model.eval()


def rms(x, forecast, part):
    """Root mean square error of the forecasts made in a part of the recording, by horizon."""
    values = []
    for i, k in enumerate(HORIZONS):
        error = x[k:] - forecast[:len(x) - k, i]
        values.append(np.sqrt(np.mean(error[part]**2)))
    return "  ".join("%8.4f" % value for value in values)


def report(model, x):
    with torch.no_grad():
        forecast = model(torch.tensor(x[None, :, None]))[0].numpy()
    last = np.repeat(x[:, None], len(HORIZONS), axis=1)
    learnt, new = slice(recording.RATE_HZ, N_TRAIN), slice(N_TRAIN, None)
    print("repeat the last sample         ", rms(x, last, new))
    print("this model, first minute       ", rms(x, forecast, learnt))
    print("this model, the four after it  ", rms(x, forecast, new))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("-o", "--output", default=os.path.join(HERE, "demo.onnx"))
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x = recording.averaged().astype(np.float32)
    model = train(x[:N_TRAIN], options.seed)
    report(model, x)
    torch.onnx.export(model, torch.zeros(1, 8, 1), options.output, opset_version=OPSET,
                      input_names=["mlii_mv"], output_names=["forecast"],
                      dynamic_axes={"mlii_mv": {1: "time"}, "forecast": {1: "time"}})


if __name__ == "__main__":
    main()
