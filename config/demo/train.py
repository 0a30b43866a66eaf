#!/usr/bin/python3
"""train.py - how demo.onnx was made: an LSTM that forecasts the electrocardiogram.

    x[t] mV --scale--> lstm.l0 (48) --> lstm.l1 (48) --> head --scale--> x[t+6] x[t+18] x[t+36] mV

Trained on the first minute of ecg208.csv.xz alone (21,600 samples of 360 a second), judged on the
four minutes behind it.  Seeded, one thread: the same machine gives the same file.  Needs
python3-torch (1.13) and python3-onnx; nothing else in the project does.  Takes about a quarter of an hour.

    root mean square error, mV       17 ms     50 ms    100 ms ahead
    repeat the last sample           0.3104    0.4763    0.5804     (in the four minutes)
    this model, first minute         0.1981    0.2878    0.3177
    this model, the four after it    0.2007    0.3477    0.4059
"""
import lzma
import os

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
RATE_HZ = 360
HORIZONS = (6, 18, 36)  # timesteps: 17, 50 and 100 ms
N_TRAIN = 60 * RATE_HZ
WINDOW, SETTLE = 3 * RATE_HZ, RATE_HZ // 2  # timesteps of a training sequence; not judged in it
BATCH, N_STEPS, RATE = 16, 900, 4e-3
OPSET = 17


class Forecaster(nn.Module):
    """Millivolt in, millivolt out; knows its own scale."""

    def __init__(self, mean, deviation, n_units=48):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))
        self.lstm = nn.LSTM(1, n_units, num_layers=2, batch_first=True)
        self.head = nn.Linear(n_units, len(HORIZONS))

    def forward(self, x):
        h, _ = self.lstm((x - self.mean) / self.deviation)
        return self.head(h) * self.deviation + self.mean


def recording():
    """The whole recording in mV: [108000]."""
    with lzma.open(os.path.join(HERE, "ecg208.csv.xz"), "rt") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1, usecols=1, dtype=np.float32)


def targets(x):
    """Row t holds x[t + k] for every horizon k; the last max(HORIZONS) rows have none."""
    return np.stack([x[k:len(x) - max(HORIZONS) + k] for k in HORIZONS], axis=1)


def train(x):
    model = Forecaster(float(x.mean()), float(x.std()))
    y = targets(x)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, N_STEPS)
    draw = np.random.default_rng(1)
    for step in range(N_STEPS):
        at = draw.integers(0, len(y) - WINDOW, BATCH)
        inputs = torch.tensor(np.stack([x[i:i + WINDOW, None] for i in at]))
        wanted = torch.tensor(np.stack([y[i:i + WINDOW] for i in at]))
        error = (model(inputs) - wanted)[:, SETTLE:] / model.deviation
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == N_STEPS - 1:
            print("step %4d  loss %.4f" % (step, loss.item()), flush=True)
    return model.eval()


def rms(error):
    return "  ".join("%8.4f" % value for value in np.sqrt(np.mean(error**2, axis=0)))


def report(model, x):
    y = targets(x)
    with torch.no_grad():
        forecast = model(torch.tensor(x[None, :, None]))[0].numpy()[:len(y)]
    print("repeat the last sample         ", rms(x[N_TRAIN:len(y), None] - y[N_TRAIN:]))
    print("this model, first minute       ", rms((forecast - y)[:N_TRAIN]))
    print("this model, the four after it  ", rms((forecast - y)[N_TRAIN:]))


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x = recording()
    model = train(x[:N_TRAIN])
    report(model, x)
    torch.onnx.export(model, torch.zeros(1, 8, 1), os.path.join(HERE, "demo.onnx"),
                      opset_version=OPSET, input_names=["mlii_mv"], output_names=["forecast"],
                      dynamic_axes={"mlii_mv": {1: "time"}, "forecast": {1: "time"}})


if __name__ == "__main__":
    main()
