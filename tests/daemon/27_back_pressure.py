#!/usr/bin/python3
"""27_back_pressure.py - this proves that PULL loses nothing.

A producer faster than the daemon waits, and 100,000 frames at a pace that the subscriber holds come
out of every layer once, in order, bit for bit.
"""
import os
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

N = 100000 if D.SLOW == 1 else 10000


def test_frames_when_pushed_as_fast_as_can_be_then_all_accepted():
    with D.Daemon() as daemon, sp.Push(daemon.url("ingest")) as push, \
            sp.Push(daemon.url("ingest")) as other:
        for i in range(N // 20):
            push.send(b"".join(D.frame("a", [i, j, 0], seq=i * 10 + j + 1) for j in range(10)))
            other.send(b"".join(D.frame("b", [i, j, 0], seq=i * 10 + j + 1) for j in range(10)))
        daemon.wait_accepted(N)
        status = daemon.status()
        cases.same([status[k] for k in ("accepted", "duplicate", "gaps", "rejected")], [N, 0, 0, 0])


def test_frames_when_paced_by_the_subscriber_then_every_seq_of_every_layer_once_and_exact():
    frames = [struct.pack("<3f", (i % 97) / 48.5 - 1, (i % 31) / 15.5 - 1, 1 if i % 7 else -1)
              for i in range(N)]
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        window = threading.Semaphore(4096)  # frames under way

        def produce():
            with sp.Push(daemon.url("ingest")) as push:
                for at in range(0, N, 64):
                    some = frames[at:at + 64]
                    for _ in some:
                        window.acquire()
                    push.send(b"".join(D.frame("s", f, seq=at + i + 1)
                                       for i, f in enumerate(some)))

        producer = threading.Thread(target=produce, daemon=True)
        producer.start()
        network = library.Network(D.MODEL)
        expected = network.run(struct.unpack("<3f", f) for f in frames)
        layers = sorted({name[0] for name, *_ in network.tensors})
        waiting = {layer: [] for layer in layers}
        seq = 0
        while seq < N:
            for record in D.split(sub.receive())[1]:
                waiting[record["layer"]].append(record)
            for _ in range(min(map(len, waiting.values()))):
                seq += 1
                tensors = next(expected)
                window.release()
                for layer in layers:
                    record = waiting[layer].pop(0)
                    cases.same(record["seq"], seq, layer)
                    for tensor, values in record["tensors"].items():
                        cases.same(values, tensors[layer, tensor], "%s at %d" % (layer, seq))
        producer.join()
        cases.same({layer: len(rest) for layer, rest in waiting.items()}, dict.fromkeys(layers, 0))


cases.run(globals())
