#!/usr/bin/python3
"""make_golden.py - writes the golden files that tests/unit/test_golden.c steps through.

    tests/golden/<network>/layers.txt     what the network must look like, and where its numbers are
                           golden.bin     float64 of the stored timesteps, rows of `row` numbers
                           <graph>.onnx   the same network as different exporters write it

Needed at development time only (Debian: python3-torch python3-onnx python3-numpy):

    tests/golden/make_golden.py [NETWORK...]
"""
import os
import sys

import numpy as np

import dynamo_networks
import keras_networks
import oracle
import recurrent_networks
import torch_networks

HERE = os.path.dirname(os.path.abspath(__file__))


def networks():
    found = torch_networks.networks() + keras_networks.networks() + \
        recurrent_networks.networks() + dynamo_networks.networks()
    assert len({n.name for n in found}) == len(found)
    return found


def columns(layers):
    """Every tensor once: [(layer, kind, [(tensor, size, first column)])] and the row's arrays."""
    listing, arrays, known, width = [], [], {}, 0
    for name, kind, tensors in layers:
        rows = []
        for tensor, values in tensors.items():
            if id(values) not in known:
                known[id(values)] = width
                arrays.append(values)
                width += values.shape[1]
            rows.append((tensor, values.shape[1], known[id(values)]))
        listing.append((name, kind, rows))
    return listing, arrays, width


def write(network):
    directory = os.path.join(HERE, network.name)
    os.makedirs(directory, exist_ok=True)
    for old in os.listdir(directory):
        os.remove(os.path.join(directory, old))
    for name, data in network.graphs.items():
        with open(os.path.join(directory, f"{name}.onnx"), "wb") as file:
            file.write(data)
    x = oracle.signal(network.seed, oracle.TIMESTEPS, network.n_values).astype(np.float64)
    listing, arrays, width = columns(network.run(x))
    rows = np.concatenate(arrays, axis=1)[oracle.sampled()]
    assert np.isfinite(rows).all()
    rows.astype("<f8").tofile(os.path.join(directory, "golden.bin"))
    with open(os.path.join(directory, "layers.txt"), "w") as file:
        file.write("# made by make_golden.py\n")
        file.write(f"values {network.n_values} seed {network.seed} row {width}\n")
        for name, kind, tensors in listing:
            file.write(f"layer {name} {kind}\n")
            for tensor, size, at in tensors:
                file.write(f"tensor {tensor} {size} {at}\n")
    print(f"{network.name}: {len(network.graphs)} graphs, {width} numbers a timestep,"
          f" largest {np.abs(rows).max():.3g}")


def main():
    wanted = sys.argv[1:]
    for network in networks():
        if not wanted or network.name in wanted:
            write(network)


if __name__ == "__main__":
    main()
