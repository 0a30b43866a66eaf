#!/usr/bin/python3
"""20_frames_to_records.py - this proves that subscribers get what the library computes, bit for bit.

Every tensor of every layer, however the frames come: by PULL or REP, one or many in a message, as
numbers or as bytes, of one stream or of many at a time.
"""
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

NAMES = ["pump/1", "pump/2", "a", "line:7.x_-", "z" * 255]


def numbers(seed, n):
    source = random.Random(seed)
    return [struct.unpack("<3f", struct.pack("<3f", *(source.uniform(-2, 2) for _ in range(3))))
            for _ in range(n)]


def expect(sub, expected, n_layers):
    """Reads until each stream's records are there, each seq once and in order, and compares."""
    network_layers = {}
    n = sum(len(frames) for frames in expected.values()) * n_layers
    got = {}
    for topic, record in D.records(sub, n):
        stream, layer = record["stream"], record["layer"]
        cases.same(topic, "all/%s/%s/" % (stream, layer), "topic")
        cases.same(record["dtype"], "<f4", "dtype")
        seqs = network_layers.setdefault((stream, layer), [])
        seqs.append(record["seq"])
        for tensor, values in record["tensors"].items():
            got[stream, record["seq"], layer, tensor] = values
    for (stream, layer), seqs in network_layers.items():
        cases.same(seqs, list(range(1, len(expected[stream]) + 1)), "seqs of %s" % layer)
    network = library.Network(D.MODEL)
    for stream, frames in expected.items():
        for seq, tensors in enumerate(network.run(frames), 1):
            for (layer, tensor), values in tensors.items():
                cases.same(got.pop((stream, seq, layer, tensor)), values,
                           "%s %s of %s at %d" % (layer, tensor, stream, seq))
    cases.same(got, {}, "records that nobody expects")


def n_layers():
    return len({name[0] for name, *_ in library.Network(D.MODEL).tensors})


def test_frames_when_sent_by_req_then_records_equal_library():
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        with sp.Req(daemon.url("ack")) as req:
            expected = {name: numbers(name, 40) for name in NAMES}
            for t in range(40):
                reply = D.feed(req, [D.frame(name, expected[name][t]) for name in NAMES])
                cases.same(reply, {"accepted": len(NAMES), "duplicate": 0, "rejected": 0,
                                   "errors": []}, "reply")
            expect(sub, expected, n_layers())


def test_frames_when_pushed_as_bytes_in_messages_of_any_size_then_records_equal_library():
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        expected = {name: numbers(name, 300) for name in NAMES}
        frames = [D.frame(name, struct.pack("<3f", *expected[name][t]), seq=t + 1, ts=t)
                  for t in range(300) for name in NAMES]
        source = random.Random(3)
        with sp.Push(daemon.url("ingest")) as push:
            while frames:
                n = source.choice((1, 2, 7, 64, 500))
                push.send(b"".join(frames[:n]))
                frames = frames[n:]
        expect(sub, expected, n_layers())


def test_more_streams_than_a_panel_has_columns_then_records_equal_library():
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        # Of uneven length, so that slots of the panel change hands within the turn.
        expected = {"s%d" % i: numbers(i, 1 + i % 9) for i in range(150)}
        body = b"".join(D.frame(name, frames[t]) for t in range(9)
                        for name, frames in expected.items() if t < len(frames))
        with sp.Req(daemon.url("ack")) as req:
            D.feed(req, [body])
        expect(sub, expected, n_layers())


def test_wrong_answer_when_made_on_purpose_then_noticed():
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        frames = numbers(1, 5)
        with sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame("a", values) for values in frames])
        wrong = frames[:4] + [(frames[4][0] + 1e-6,) + frames[4][1:]]
        try:
            expect(sub, {"a": wrong}, n_layers())
        except AssertionError:
            return
        raise AssertionError("a value that is off by 1e-6 was not noticed")


def test_kernel_when_it_cannot_run_then_a_warning_and_the_widest():
    with D.Daemon(start=False) as daemon:
        daemon.environment["CELLTAP_KERNEL"] = "bogus"
        daemon.start()
        assert "CELLTAP_KERNEL=bogus cannot run here" in daemon.log(), daemon.log()
        assert daemon.control("status")["kernel"] in ("plain", "avx2", "neon")


cases.run(globals())
