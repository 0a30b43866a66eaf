"""sensors.py - sensors to be watched, as rows and as the csv files that `celltap score` reads.

    rows = sensors.calm(800)          [[float32, ...], ...]: two rhythms and a little noise
    path = sensors.write(folder, rows, names, period_s)
"""
import csv
import math
import os
import random
import struct

BEGIN_S = 1700000000


def float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def calm(n, n_channels=2, seed=1):
    rng = random.Random(seed)
    return [[float32(math.sin(t / (9 + 4 * c)) + rng.gauss(0, 0.05)) for c in range(n_channels)]
            for t in range(n)]


def ts_ns(t, period_s=1):
    return (BEGIN_S + t * period_s) * 10**9


def write(folder, rows, names=None, period_s=1, name="sensors.csv"):
    """None is a missing value."""
    path = os.path.join(folder, name)
    names = names or ["c%d" % i for i in range(len(rows[0]))]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time"] + names)
        for t, row in enumerate(rows):
            writer.writerow([BEGIN_S + t * period_s] +
                            ["" if value is None else repr(value) for value in row])
    return path


def scores(path):
    """What `celltap score` has written: [dict], with the types that records have."""
    types = {"seq": int, "ts": int, "alarm": lambda text: text == "1"}
    with open(path, newline="", encoding="utf-8") as file:
        return [{key: types.get(key, float)(value) for key, value in row.items()}
                for row in csv.DictReader(file)]
