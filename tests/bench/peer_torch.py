#!/usr/bin/python3
"""peer_torch.py - quietest ns of a timestep of PyTorch's modules: KIND BATCH SECONDS SIZES...

One thread, no gradients; the states go from one call into the next, as a stream's do.
"""
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("peer_torch.py: python3-torch is not installed")

BLOCK_S = 2e-3


def main():
    kind, batch, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    sizes = [int(word) for word in sys.argv[4:]]
    torch.set_num_threads(1)
    module = getattr(torch.nn, kind)
    layers = [module(n_inputs, n_units) for n_inputs, n_units in zip(sizes, sizes[1:])]
    states = [None] * len(layers)
    x = torch.randn(1, batch, sizes[0])

    def step():
        value = x
        for ix, layer in enumerate(layers):
            value, states[ix] = layer(value, states[ix])

    with torch.inference_mode():
        n_calls, quietest, end = 1, float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end or quietest == float("inf"):
            begin = time.perf_counter()
            for _ in range(n_calls):
                step()
            took = time.perf_counter() - begin
            if took < BLOCK_S / 2:
                n_calls *= 2
            else:
                quietest = min(quietest, took / n_calls)
    print("%.1f" % (quietest * 1e9))


if __name__ == "__main__":
    main()
