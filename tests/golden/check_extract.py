#!/usr/bin/python3
"""check_extract.py - the golden networks through `celltap extract`, csv in, npy out.

Proves that what a user gets from the command is what float64 says, every tensor of every layer.
One graph of each network is extracted; the stored timesteps are compared.  With --all (development
time, needs python3-torch and python3-onnx) every graph is extracted and all 10,000 timesteps of all
tensors are compared with the oracle, computed anew:

    tests/golden/check_extract.py --all [NETWORK...]
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(HERE, "../../build"))
TOLERANCE = 2e-6


def read_layers(directory):
    """layers.txt as (n_values, seed, row, {(layer, tensor): (size, column)})."""
    tensors, layer = {}, None
    with open(os.path.join(directory, "layers.txt"), encoding="utf-8") as file:
        for line in file:
            word = line.split()
            if word[0] == "values":
                header = [int(word[1]), int(word[3]), int(word[5])]
            elif word[0] == "layer":
                layer = word[1]
            elif word[0] == "tensor":
                tensors[layer, word[1]] = (int(word[2]), int(word[3]))
    return (*header, tensors)


def write_csv(path, x):
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(f"channel{k}" for k in range(x.shape[1])) + "\n")
        for row in x.tolist():
            file.write(",".join(map(repr, row)) + "\n")


def extract(graph, csv, directory):
    """{(layer, tensor): [T, n]} of what the command wrote."""
    subprocess.run([os.path.join(BUILD, "celltap"), "extract", graph, csv, "-o", directory],
                   check=True, stdout=subprocess.DEVNULL)
    found = {}
    for layer in os.listdir(directory):
        for name in os.listdir(os.path.join(directory, layer)):
            assert name.endswith(".npy"), name
            found[layer, name[:-4]] = np.load(os.path.join(directory, layer, name))
    return found


def compare(found, expected, rows, x):
    """The largest error; expected: {(layer, tensor): [len(rows), n]}."""
    inputs = [values for (layer, _), values in sorted(found.items()) if layer == "@input"]
    assert np.array_equal(np.concatenate(inputs, axis=1), x), "@input is not what was fed"
    names = {key for key in found if key[0] != "@input"}
    assert names == set(expected), sorted(names ^ set(expected))
    worst = 0.0
    for key, values in expected.items():
        assert found[key].shape == (len(x), values.shape[1]), (key, found[key].shape)
        assert found[key].dtype == np.dtype("<f4"), (key, found[key].dtype)
        worst = max(worst, np.abs(found[key][rows].astype(np.float64) - values).max())
    return worst


def stored(directory, row, tensors):
    """What golden.bin holds: {(layer, tensor): [stored timesteps, n]}."""
    values = np.fromfile(os.path.join(directory, "golden.bin"), "<f8").reshape(-1, row)
    return {key: values[:, at:at + n] for key, (n, at) in tensors.items()}


def everything(network, x):
    """What the oracle says of all timesteps."""
    return {(layer, tensor): values for layer, _, tensors in network.run(x.astype(np.float64))
            for tensor, values in tensors.items()}


def check(name, network):
    """True if all graphs are within the tolerance; network: the oracle, or None."""
    directory = os.path.join(HERE, name)
    n_values, seed, row, tensors = read_layers(directory)
    x = oracle.signal(seed, oracle.TIMESTEPS, n_values)
    graphs = sorted(g for g in os.listdir(directory) if g.endswith(".onnx"))
    if network:
        rows, expected = list(range(len(x))), everything(network, x)
    else:
        rows, expected, graphs = oracle.sampled(), stored(directory, row, tensors), graphs[:1]
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        csv = os.path.join(scratch, "x.csv")
        write_csv(csv, x)
        for graph in graphs:
            found = extract(os.path.join(directory, graph), csv, os.path.join(scratch, graph))
            worst = max(worst, compare(found, expected, rows, x))
    print(f"{name:20} {len(graphs):2} graphs, {len(rows)} timesteps, largest error {worst:.2e}")
    return worst <= TOLERANCE


def main():
    arguments = [a for a in sys.argv[1:] if a != "--all"]
    if len(arguments) < len(sys.argv) - 1:
        import make_golden
        oracles = {network.name: network for network in make_golden.networks()}
    else:
        oracles = {}
    names = sorted(n for n in os.listdir(HERE) if os.path.exists(f"{HERE}/{n}/layers.txt"))
    results = [check(name, oracles.get(name)) for name in names
               if not arguments or name in arguments]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
