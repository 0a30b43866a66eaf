#!/usr/bin/python3
"""24_taps.py - this proves that a tap publishes what it selects and nothing else.

Streams, layers and tensors by glob, every n-th timestep, grouped and encoded as its options say.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

STREAMS = ["a/1", "a/2", "b"]
FRAMES = [[0.1 * t, 1.0 - t, t % 3] for t in range(12)]
EVERYTHING = {"@input": ["x"], "lstms.0": ["output", "h", "c", "i", "f", "g", "o"],
              "lstms.1": ["output", "h", "c", "i", "f", "g", "o"], "fc": ["output"],
              "@output": ["y"]}


def published(**options):
    """All messages of a tap with these options: [(topic, [record, ...])]."""
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[dict({"name": "t", "listen": [daemon.url("t")]},
                                               **options)]))
        daemon.start()
        with daemon.subscribe(daemon.url("t")) as sub, sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame(s, FRAMES[t]) for t in range(12) for s in STREAMS])
            n = daemon.status()["taps"][0]["messages"]
            return [D.split(sub.receive()) for _ in range(n)]


def selected(**options):
    """{layer: [tensor, ...]} of what is published of stream b's first timestep."""
    return {r["layer"]: list(r["tensors"]) for _, records in published(**options)
            for r in records if r["stream"] == "b" and r["seq"] == 1}


def test_selection_when_by_default_then_output_h_c():
    cases.same(selected(), {"lstms.0": ["output", "h", "c"], "lstms.1": ["output", "h", "c"],
                            "fc": ["output"], "@output": ["y"]})


def test_selection_when_everything_then_every_tensor_in_its_order():
    cases.same(selected(tensors=["*"]), EVERYTHING)


def test_selection_when_by_layer_then_only_those():
    cases.same(selected(layers=["lstms.*"], tensors=["c"]), {"lstms.0": ["c"], "lstms.1": ["c"]})
    cases.same(selected(layers=["fc", "lstms.1"], tensors=["[fgo]", "x"]),
               {"lstms.1": ["f", "g", "o"]})
    cases.same(selected(layers=["@*"], tensors=["*"]), {"@input": ["x"], "@output": ["y"]})


def test_selection_when_tensor_output_then_the_graph_outputs_too_and_not_its_inputs():
    cases.same(selected(tensors=["output"]), {"lstms.0": ["output"], "lstms.1": ["output"],
                                              "fc": ["output"], "@output": ["y"]})
    cases.same(selected(tensors=["x", "y"]), {"@input": ["x"], "@output": ["y"]})


def test_streams_when_by_glob_then_only_those():
    got = {r["stream"] for _, records in published(streams=["a/*"]) for r in records}
    cases.same(got, {"a/1", "a/2"})
    got = {r["stream"] for _, records in published(streams=["*2", "b"]) for r in records}
    cases.same(got, {"a/2", "b"})


def test_every_when_n_then_seqs_divisible_by_it():
    for every in (1, 5, 12, 13):
        got = [r["seq"] for _, records in published(every=every, layers=["fc"]) for r in records
               if r["stream"] == "b"]
        cases.same(got, [seq for seq in range(1, 13) if seq % every == 0], "every %d" % every)


def test_group_when_layer_then_a_message_per_stream_and_layer():
    got = published(group="layer", layers=["lstms.*"])
    cases.same(sorted(topic for topic, _ in got),
               sorted("t/%s/%s/" % (s, l) for s in STREAMS for l in ("lstms.0", "lstms.1")))
    for topic, records in got:
        cases.same({"t/%s/%s/" % (r["stream"], r["layer"]) for r in records}, {topic})
        cases.same([r["seq"] for r in records], list(range(1, 13)), topic)


def test_group_when_stream_then_a_message_per_stream():
    got = published(group="stream", layers=["lstms.*"])
    cases.same(sorted(topic for topic, _ in got), sorted("t/%s/" % s for s in STREAMS))
    for topic, records in got:
        cases.same([(r["seq"], r["layer"]) for r in records],
                   [(t, l) for t in range(1, 13) for l in ("lstms.0", "lstms.1")], topic)


def test_group_when_tap_then_one_message_a_turn():
    got = published(group="tap", layers=["lstms.*"])
    cases.same([topic for topic, _ in got], ["t/"])
    for stream in STREAMS:
        cases.same([r["seq"] for r in got[0][1] if r["stream"] == stream and r["layer"] == "lstms.1"],
                   list(range(1, 13)), stream)


def test_messages_when_a_turn_has_much_then_split_at_64_kib_and_whole():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[
            {"name": "t", "listen": [daemon.url("t")], "group": "tap", "tensors": ["*"]}]))
        daemon.start()
        with daemon.subscribe(daemon.url("t")) as sub, sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame("s", FRAMES[t % 12]) for t in range(3000)])
            seqs = []
            while len(seqs) < 3000 * 5:
                message = sub.receive()
                assert len(message) <= 64 * 1024 + 512, len(message)
                topic, records = D.split(message)
                cases.same(topic, "t/")
                seqs += [r["seq"] for r in records]
            cases.same(seqs, [1 + i // 5 for i in range(3000 * 5)])


def tensors_of(messages):
    return {(r["stream"], r["seq"], r["layer"], tensor): values for _, records in messages
            for r in records for tensor, values in r["tensors"].items()}


def test_encoding_when_array_or_half_then_the_same_values():
    plain = tensors_of(published(tensors=["*"]))
    halves = published(tensors=["*"], dtype="<f2")
    arrays = published(tensors=["*"], encoding="array")
    cases.same({r["dtype"] for _, rs in halves for r in rs}, {"<f2"})
    half, array = tensors_of(halves), tensors_of(arrays)
    cases.same(set(plain), set(half))
    cases.same(set(plain), set(array))
    for key, values in plain.items():
        floats = struct.unpack("<%df" % (len(values) // 4), values)
        cases.same(tuple(array[key]), floats, "array")
        cases.same(half[key], struct.pack("<%de" % len(floats), *floats), "half")


def test_taps_when_several_then_each_its_own_and_all_subscribers_of_one_the_same():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[
            {"name": "h", "listen": [daemon.url("h"), daemon.tcp("h")], "tensors": ["h"]},
            {"name": "c", "listen": [daemon.url("c")], "tensors": ["c"]}]))
        daemon.start()
        with daemon.subscribe(daemon.url("h")) as one, daemon.subscribe(daemon.url("c")) as other, \
                daemon.subscribe(daemon.tcp("h")) as two, sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame("s", values) for values in FRAMES])
            mine, theirs = D.records(one, 24), D.records(two, 24)
            cases.same(mine, theirs, "two subscribers of one tap")
            cases.same({tuple(r["tensors"]) for _, r in mine}, {("h",)})
            cases.same({tuple(r["tensors"]) for _, r in D.records(other, 24)}, {("c",)})


def test_tap_when_nobody_subscribes_then_nothing_is_encoded():
    with D.Daemon() as daemon:
        with sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame("s", values) for values in FRAMES])
            cases.same([daemon.status()["taps"][0][key] for key in ("records", "messages")], [0, 0])
            sub = daemon.subscribe(daemon.url("all"))
            D.feed(req, [D.frame("s", FRAMES[0])])
            cases.same(len(D.records(sub, 5)), 5)
            sub.close()
            D.wait_until(lambda: daemon.status()["taps"][0]["subscribers"] == 0, "it to be gone")
            before = daemon.status()["taps"][0]["records"]
            D.feed(req, [D.frame("s", FRAMES[0])])
            cases.same(daemon.status()["taps"][0]["records"], before)


def test_records_when_read_then_as_the_library_has_them():
    network = library.Network(D.MODEL)
    got = tensors_of(published(tensors=["*"], group="tap"))
    for seq, tensors in enumerate(network.run(FRAMES), 1):
        for (layer, tensor), values in tensors.items():
            cases.same(got["b", seq, layer, tensor], values, layer + " " + tensor)


cases.run(globals())
