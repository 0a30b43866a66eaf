#!/usr/bin/python3
"""46_own_states.py - this proves that states which a graph gives out and takes in, named in the
model's metadata, are a stream's like any others.

An LSTM cell that is spelled out gives the h and c of ONNX's LSTM with the same weights; its states
go on after kill -9, come again by replay bit for bit, and start afresh at a reset.
"""
import os
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library
import sp

X, H = 3, 4
FRAMES = [[0.1 * t, 1.0 - t / 7, t % 3] for t in range(24)]


def weights():
    random = numpy.random.RandomState(5)
    return [random.uniform(-0.7, 0.7, size).astype(numpy.float32)
            for size in ((4 * H, X), (4 * H, H), (4 * H,))]


def save(path, nodes, constants, inputs, outputs, states=None):
    port = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    graph = helper.make_graph(
        nodes, "g", [port(*one) for one in inputs], [port(*one) for one in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    if states:
        helper.set_model_props(model, {"celltap.states": states})
    onnx.save(model, path)


def save_cell(path):
    """Gates i o f c of x, h and c, as somebody would write them out."""
    W, R, b = weights()
    n = lambda op, ins, outs, **more: helper.make_node(op, ins.split(), outs.split(), **more)
    nodes = [n("Gemm", "x W b", "zx", transB=1), n("Gemm", "h R", "zh", transB=1),
             n("Add", "zx zh", "z"), n("Split", "z", "zi zo zf zc", axis=1),
             n("Sigmoid", "zi", "i"), n("Sigmoid", "zo", "o"), n("Sigmoid", "zf", "f"),
             n("Tanh", "zc", "g"), n("Mul", "f c", "fc"), n("Mul", "i g", "ig"),
             n("Add", "fc ig", "c_out"), n("Tanh", "c_out", "t"), n("Mul", "o t", "h_out")]
    save(path, nodes, {"W": W, "R": R, "b": b}, [("x", [1, X]), ("h", [1, H]), ("c", [1, H])],
         [("h_out", [1, H]), ("c_out", [1, H])], "h=h_out, c=c_out")


def save_lstm(path):
    W, R, b = weights()
    node = helper.make_node("LSTM", ["x", "W", "R", "B"], ["", "h_out", "c_out"], hidden_size=H)
    save(path, [node], {"W": W[None], "R": R[None], "B": numpy.concatenate([b, 0 * b])[None]},
         [("x", ["T", 1, X])], [("h_out", [1, 1, H]), ("c_out", [1, 1, H])])


def feed(daemon, first, end, **more):
    """{(seq, tensor): bytes} of "@output"."""
    sub = daemon.subscribe(daemon.url("all"))
    with sp.Req(daemon.url("ack")) as req:
        reply = D.feed(req, [D.frame("x", frame, **(more if t == first else {}))
                             for t, frame in enumerate(FRAMES[first:end], first)])
    cases.same(reply["accepted"], end - first, reply)
    got = {}
    for _, r in D.records(sub, end - first):
        for tensor, data in r["tensors"].items():
            got[r["seq"], tensor] = data
    sub.close()
    return got


def expected(path, frames, first=1):
    return {(seq, tensor): step["@output", tensor]
            for seq, step in enumerate(library.Network(path).run(frames), first)
            for tensor in ("h_out", "c_out")}


def test_states_when_carried_then_the_cell_is_the_lstm():
    with D.Daemon(start=False) as daemon:
        cell, lstm = (os.path.join(daemon.directory, name) for name in ("cell.onnx", "lstm.onnx"))
        save_cell(cell)
        save_lstm(lstm)
        got, wanted = expected(cell, FRAMES), expected(lstm, FRAMES)
        for key, data in wanted.items():
            numpy.testing.assert_allclose(numpy.frombuffer(got[key], "<f4"),
                                          numpy.frombuffer(data, "<f4"), atol=2e-6)


def test_states_when_killed_reset_and_replayed_then_go_on():
    with D.Daemon(start=False) as daemon:
        cell = os.path.join(daemon.directory, "cell.onnx")
        save_cell(cell)
        config = daemon.default(models=[{"name": "cell", "file": cell, "streams": ["*"]}],
                                journal={"sync": "off", "snapshot_every": 5})
        config["taps"] = [{"name": "all", "listen": [daemon.url("all")], "layers": ["@output"]}]
        daemon.write(config)
        daemon.start()
        wanted = expected(cell, FRAMES[:16])
        got = feed(daemon, 0, 8)
        daemon.signal(9)
        daemon.wait_end()
        daemon.start()
        got.update(feed(daemon, 8, 16))
        cases.same(got, wanted, "over kill -9")
        got = feed(daemon, 16, 20, reset=True)
        cases.same(got, expected(cell, FRAMES[16:20], 17), "after a reset")
        daemon.terminate()
        out = os.path.join(daemon.directory, "out")
        celltap.run("replay", "x", "1..16", "--layer", "@output", "--journal",
                    os.path.join(daemon.directory, "journal"), "-o", out)
        for tensor in ("h_out", "c_out"):
            rows = numpy.load(os.path.join(out, "@output", tensor + ".npy"))
            cases.same([row.tobytes() for row in rows],
                       [wanted[seq, tensor] for seq in range(1, 17)], tensor)


if __name__ == "__main__":
    library.preload()
    cases.run(globals())
