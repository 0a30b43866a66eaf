"""recording.py - the recording: as it was made, and as the demo's model takes it.

    ecg208.csv.xz: 360 samples a second, mV --mean of 3--> 120 a second, mV

A heartbeat's parts last a tenth of a second: 120 a second are enough to see them, and three times
fewer timesteps are to be forecast for the same time ahead.  Nothing else is done to the values.
"""
import lzma
import os
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
RAW_HZ = 360
AVERAGED = 3  # samples that become one
RATE_HZ = RAW_HZ // AVERAGED


def raw():
    """As it was made: [108000] mV."""
    with lzma.open(os.path.join(HERE, "ecg208.csv.xz"), "rt") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1, usecols=1)


def averaged():
    """As the model takes it: [36000] mV."""
    return raw().reshape(-1, AVERAGED).mean(axis=1)


def seconds(seq):
    """Where in the recording a timestep is; the first has seq 1."""
    return (seq - 1) / RATE_HZ


def write(target, n_rows=None):
    """What the model takes, or the first rows of it, as csv; whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(target), delete=False) as file:
        file.write("seconds,mlii_mv\n")
        for i, value in enumerate(averaged()[:n_rows]):
            file.write("%.4f,%.4f\n" % (i / RATE_HZ, value))
    os.chmod(file.name, 0o644)
    os.replace(file.name, target)
