#!/usr/bin/python3
"""check_oracle.py - the float64 oracle against the reference equations in Debian's python3-onnx.

Two texts of the same equations by different hands must agree to the last bits; with two gates (or
inputs) swapped they must not.
"""
import sys

import numpy as np

try:
    from onnx.backend.test.case.node import gru, lstm, rnn
except ImportError:
    print("python3-onnx is not installed")
    sys.exit(77)

from onnx_graph import pack
from recurrent_networks import Cell

NODES = {"LSTM": (lstm, "iofg"), "GRU": (gru, "zrn"), "RNN": (rnn, "h")}


def reference(kind, cell, x, order):
    module = NODES[kind][0]
    old_name = kind + "_Helper"  # still in onnx 1.12
    helper = getattr(module, old_name if hasattr(module, old_name) else kind + "Helper")
    double = lambda array: array.astype(np.float64)
    arguments = {"X": x[:, None], "W": pack(cell.W, order), "R": pack(cell.R, order),
                 "B": np.concatenate([pack(cell.Wb, order), pack(cell.Rb, order)], axis=1),
                 "initial_h": cell.h0.reshape(1, 1, -1)}
    if kind == "LSTM":
        arguments.update(initial_c=cell.c0.reshape(1, 1, -1), P=pack(cell.P, "iof"))
    outputs, _ = helper(**{name: double(value) for name, value in arguments.items()}).step()
    return outputs[:, 0, 0]


def main():
    random = np.random.RandomState(3)
    x = random.randn(50, 3)
    n_failed = 0
    for kind, (_, order) in NODES.items():
        cell = Cell(random, kind, 3, 4, constant_states=True, peepholes=True)
        ours = cell.run(x)["h"]
        error = np.abs(reference(kind, cell, x, order) - ours).max()
        swapped = order[1:2] + order[:1] + order[2:]
        inputs = x if len(order) > 1 else x[:, ::-1]  # an RNN has one gate: swap inputs
        wrong = np.abs(reference(kind, cell, inputs, swapped) - ours).max()
        print(f"{kind}: {error:.1e}, made wrong {wrong:.1e}")
        n_failed += not error < 1e-14 or not wrong > 1e-3
    print(f"{len(NODES) - n_failed} passed, {n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
