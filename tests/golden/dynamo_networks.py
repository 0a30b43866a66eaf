"""dynamo_networks.py - graphs as torch.onnx.export writes them by default since PyTorch 2.9.

Written by hand after what is published of onnxscript's torchlib (aten_lstm, aten_gru, aten_zeros,
aten_softplus) and of graphs that users show: operator set 18 and newer, IR version 10 and newer,
names like node_LSTM_7 and val_7, module scopes in metadata_props, symbolic dims, initial states as
Expand of computed shapes, weights brought to ONNX's order by Slice and Concat where the exporter
did not fold that, Y made [time, batch, H] by Transpose and Reshape.
"""
import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import oracle
from oracle import Network, layer
from torch_networks import array, run_gru, run_linear, run_lstm

INT64_MAX = 9223372036854775807
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}  # i f g o -> i o f g; r z n -> z r n


def field(number, data):
    """A protobuf field of bytes."""
    assert len(data) < 128 * 128
    n = len(data)
    size = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
    return bytes([number << 3 | 2]) + size + data


class Graph:
    def __init__(self, opset, fold, dynamic):
        self.opset, self.fold, self.dynamic = opset, fold, dynamic
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def name(self):
        return f"val_{len(self.nodes) + len(self.initializers)}"

    def const(self, value, name=None):
        name = name or self.name()
        if not any(known.name == name for known in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *value):
        return self.const(np.array(value, np.int64))

    def number(self, value):
        return self.const(np.float32(value))

    def op(self, kind, inputs, scopes=(), n_out=1, out=None, **attributes):
        first = out or self.name()
        outputs = [first] + [f"{first}__{k}" for k in range(1, n_out)]
        node = helper.make_node(kind, inputs, outputs, f"node_{kind}_{len(self.nodes)}",
                                **attributes)
        if scopes:  # NodeProto.metadata_props is newer than this python3-onnx
            text = str(["", *scopes, node.name]).encode()
            entry = field(1, b"pkg.torch.onnx.name_scopes") + field(2, text)
            node.MergeFromString(field(9, entry))
        self.nodes.append(node)
        return outputs if n_out > 1 else first

    def port(self, name, dims):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)

    def bytes(self):
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, self.outputs,
                                  self.initializers)
        model = helper.make_model(graph, producer_name="pytorch", producer_version="2.9.1",
                                  opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 10 if self.opset < 23 else 11
        return model.SerializeToString()


def gate_rows(g, module, kind, weight, k, scope):
    """A parameter with its gates in ONNX's order and the axis of directions in front."""
    value = getattr(module, f"{weight}_l{k}").detach().numpy()
    n, H = len(ORDER[kind]), module.hidden_size
    if g.fold:
        parts = np.split(value, n)
        return g.const(np.concatenate([parts[gate] for gate in ORDER[kind]])[None])
    name = g.const(value, f"{scope}.{weight}_l{k}")
    parts = [g.op("Slice", [name, g.ints(gate * H), g.ints((gate + 1) * H), g.ints(0)], [scope])
             for gate in range(n)]
    joined = g.op("Concat", [parts[gate] for gate in ORDER[kind]], [scope], axis=0)
    return g.op("Unsqueeze", [joined, g.ints(0)], [scope])


def zeros(g, x, axis, sizes):
    """torch.zeros(layers, batch, H) in forward()."""
    if not g.dynamic:
        return g.const(np.zeros((sizes[0], 1, sizes[1]), np.float32))
    batch = g.op("Squeeze", [g.op("Shape", [x], start=axis, end=axis + 1)])
    batch = g.op("Reshape", [batch, g.ints(-1)], allowzero=0)
    shape = g.op("Concat", [g.ints(sizes[0]), batch, g.ints(sizes[1])], axis=0)
    return g.op("Expand", [g.number(0), shape])


def recurrent(g, x, module, kind, scope):
    """aten.lstm.input or aten.gru.input: the output of the last layer, and the final h of all."""
    L, H, first = module.num_layers, module.hidden_size, module.batch_first
    scopes, finals = [scope], []
    states = [zeros(g, x, 0 if first else 1, (L, H)) for _ in range(2 if kind == "LSTM" else 1)]
    current = g.op("Transpose", [x], scopes, perm=[1, 0, 2]) if first else x
    for k in range(L):
        W, R, Wb, Rb = (gate_rows(g, module, kind, weight, k, scope)
                        for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        B = g.op("Concat", [Wb, Rb], scopes, axis=1)
        own = [g.op("Slice", [state, g.ints(k), g.ints(k + 1), g.ints(0)], scopes)
               for state in states]
        more = {"linear_before_reset": 1} if kind == "GRU" else {}
        Y, Y_h = g.op(kind, [current, W, R, B, "", *own], scopes, n_out=1 + len(own),
                      direction="forward", hidden_size=H, **more)[:2]
        finals.append(Y_h)
        Y = g.op("Transpose", [Y], scopes, perm=[0, 2, 1, 3])
        current = g.op("Reshape", [Y, g.ints(0, 0, -1)], scopes, allowzero=0)
    final = finals[0] if L == 1 else g.op("Concat", finals, scopes, axis=0)
    return g.op("Transpose", [current], scopes, perm=[1, 0, 2]) if first else current, final


def linear(g, x, module, scope, rank, out=None):
    weight, bias = array(module.weight), g.const(array(module.bias), f"{scope}.bias")
    if rank == 2:
        return g.op("Gemm", [x, g.const(weight, f"{scope}.weight"), bias], [scope], out=out,
                    alpha=1.0, beta=1.0, transA=0, transB=1)
    name = g.const(weight.T.copy()) if g.fold else \
        g.op("Transpose", [g.const(weight, f"{scope}.weight")], [scope], perm=[1, 0])
    return g.op("Add", [g.op("MatMul", [x, name], [scope]), bias], [scope], out=out)


def graphs(build):
    """All graphs of a network: {name: bytes}."""
    return {f"opset{opset}{'_folded' if fold else ''}{'_dynamic' if dynamic else ''}":
            build(Graph(opset, fold, dynamic))
            for opset, fold, dynamic in ((18, True, False), (18, False, True), (20, True, True),
                                         (23, False, False), (24, True, True))}


def forecaster():
    """Two layers, the last timestep, LayerNorm, Linear."""
    lstm, norm, fc = nn.LSTM(4, 7, 2, batch_first=True), nn.LayerNorm(7), nn.Linear(7, 2)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)

    def build(g):
        dims = ["batch", "s27"] if g.dynamic else [1, 9]
        g.inputs = [g.port("x", [*dims, 4])]
        y, _ = recurrent(g, "x", lstm, "LSTM", "lstm")
        if g.fold:
            y = g.op("Gather", [y, g.const(np.int64(-1))], axis=1)
        else:
            y = g.op("Slice", [y, g.ints(-1), g.ints(INT64_MAX), g.ints(1), g.ints(1)])
            y = g.op("Squeeze", [y, g.ints(1)])
        y = g.op("LayerNormalization", [y, g.const(array(norm.weight), "norm.weight"),
                                        g.const(array(norm.bias), "norm.bias")], ["norm"],
                 axis=-1, epsilon=float(norm.eps), stash_type=1)
        linear(g, y, fc, "fc", 2, "y")
        g.outputs = [g.port("y", [dims[0], 2])]
        return g.bytes()

    def run(x):
        a = run_lstm(x, lstm, 0)
        b = run_lstm(a["h"], lstm, 1)
        n = oracle.layer_norm(b["h"], array(norm.weight), array(norm.bias),
                              float(np.float32(norm.eps)))
        y = run_linear(n, fc)
        return [layer("lstm.l0", "LSTM", a), layer("lstm.l1", "LSTM", b),
                layer("norm", "LayerNormalization", n), layer("fc", "Dense", y),
                layer("@output", "Output", {"y": y})]

    return Network("torch2_forecaster", 4, graphs(build), run)


def likelihood():
    """Time-major; a mean and, through nn.Softplus, a deviation at each timestep, and the final h."""
    gru, mean, raw = nn.GRU(3, 6), nn.Linear(6, 2), nn.Linear(6, 2)

    def build(g):
        dims = ["s27", "batch"] if g.dynamic else [9, 1]
        g.inputs = [g.port("x", [*dims, 3])]
        y, final = recurrent(g, "x", gru, "GRU", "gru")
        linear(g, y, mean, "mean", 3, "mu")
        s = linear(g, y, raw, "raw", 3)
        plus = g.op("Softplus", [s], ["softplus"])
        asked = g.op("Greater", [s, g.number(20)], ["softplus"])
        g.op("Where", [asked, s, plus], ["softplus"], out="sigma")
        g.op("Identity", [final], out="hn")
        g.outputs = [g.port("mu", [*dims, 2]), g.port("sigma", [*dims, 2]),
                     g.port("hn", [1, dims[1], 6])]
        return g.bytes()

    def run(x):
        a = run_gru(x, gru)
        mu, s = run_linear(a["h"], mean), run_linear(a["h"], raw)
        sigma = oracle.softplus(s)
        return [layer("gru", "GRU", a), layer("mean", "Dense", mu), layer("raw", "Dense", s),
                layer("softplus.softplus", "Softplus", sigma),
                layer("softplus.greater", "Greater", (s > 20).astype(float)),
                layer("softplus", "Where", sigma),
                layer("@output", "Output", {"mu": mu, "sigma": sigma, "hn": a["h"]})]

    return Network("torch2_likelihood", 3, graphs(build), run)


def networks():
    torch.manual_seed(29)
    return [forecaster(), likelihood()]
