"""recurrent_networks.py - every form of recurrent layer that ONNX defines, in hand-written graphs.

Several cells side by side on one input make one network, so that there are few files.  Weights are
one array per gate; the file gets them packed in ONNX's order, the oracle as they are.
"""
import numpy as np
from onnx import helper

import oracle
from onnx_graph import Graph, pack
from oracle import Network, layer

ORDER = {"LSTM": "iofg", "GRU": "zrn", "RNN": "h"}  # gates in ONNX's order (its c is our g)


class Cell:
    """One recurrent node: its arrays, its attributes, its oracle."""

    def __init__(self, random, kind, x_size, units, scale=0.4, **options):
        draw = lambda *shape: random.uniform(-scale, scale, shape).astype(np.float32)
        self.kind, self.units, self.options = kind, units, options
        names = ORDER[kind]
        self.W = {k: draw(units, x_size) for k in names}
        self.R = {k: draw(units, units) for k in names}
        self.Wb = {k: draw(units) for k in names}
        self.Rb = {k: draw(units) for k in names}
        self.P = {k: draw(units) for k in "iof"}
        self.h0, self.c0 = draw(units) * 2, draw(units) * 2
        if "forget_bias" in options:  # a gate function above 1 would let the cell state grow
            self.Wb["f"] += np.float32(options["forget_bias"])
        if options.get("no_bias"):
            self.Wb = self.Rb = {k: np.zeros(units, np.float32) for k in names}

    def attributes(self):
        o, a = self.options, {"hidden_size": self.units}
        if "functions" in o:
            a["activations"] = [f[0] for f in o["functions"]]
            alphas = [f[1] for f in o["functions"] if len(f) > 1]
            betas = [f[2] for f in o["functions"] if len(f) > 2]
            if alphas:
                a["activation_alpha"] = alphas
            if betas:
                a["activation_beta"] = betas
        if "clip" in o:
            a["clip"] = o["clip"]
        for flag in ("layout", "input_forget", "linear_before_reset"):
            if o.get(flag):
                a[flag] = 1
        return a

    def node(self, g, x, name, path=None, states=("", "")):
        """x: [time, 1, X] ([1, time, X] with layout 1).  Gives the names of Y, Y_h (and Y_c)."""
        o, order, w = self.options, ORDER[self.kind], f"{name}."
        both = np.concatenate([pack(self.Wb, order), pack(self.Rb, order)], axis=1)
        inputs = [x, g.const(w + "W", pack(self.W, order)), g.const(w + "R", pack(self.R, order)),
                  "" if o.get("no_bias") else g.const(w + "B", both), "", *states]
        if o.get("constant_states"):
            shape = (1, 1, self.units)
            inputs[5:] = [g.const(w + "h0", self.h0.reshape(shape)),
                          g.const(w + "c0", self.c0.reshape(shape))]
        if self.kind != "LSTM":
            inputs = inputs[:6]
        elif o.get("peepholes"):
            inputs.append(g.const(w + "P", pack(self.P, "iof")))
        while inputs[-1] == "":
            inputs.pop()
        outputs = [f"{name}_Y", f"{name}_Y_h", f"{name}_Y_c"][:3 if self.kind == "LSTM" else 2]
        g.op(self.kind, inputs, path or f"/{name}/{self.kind}", outputs, **self.attributes())
        return outputs

    def run(self, x):
        o = self.options
        functions = [oracle.gate(*f) for f in o.get("functions", ())]
        common = dict(zip("fgh", functions), clip=float(np.float32(o.get("clip", np.inf))))
        if o.get("constant_states"):
            common["h0"] = self.h0
        if self.kind == "RNN":
            bias = self.Wb["h"].astype(float) + self.Rb["h"]
            return oracle.rnn(x, self.W["h"], self.R["h"], bias, **common)
        if self.kind == "GRU":
            return oracle.gru(x, self.W, self.R, self.Wb, self.Rb, **common,
                              reset_after=bool(o.get("linear_before_reset")))
        bias = {k: self.Wb[k].astype(float) + self.Rb[k] for k in self.Wb}
        if o.get("constant_states"):
            common["c0"] = self.c0
        return oracle.lstm(x, self.W, self.R, bias, P=self.P if o.get("peepholes") else None,
                           input_forget=bool(o.get("input_forget")), **common)


def side_by_side(name, x_size, cells, opsets, dynamic=True):
    """All cells on the same input; outputs are Y of each, squeezed to [time, batch, units]."""
    def graph(opset, time, batch):
        g = Graph(opset)
        x = g.input("x", [time, batch, x_size])
        swapped = None
        for key, cell in cells.items():
            if cell.options.get("layout"):
                swapped = swapped or g.op("Transpose", [x], "swap", ["swapped"], perm=[1, 0, 2])
                y = cell.node(g, swapped, key)[0]          # [batch, time, 1, units]
                y = g.squeeze(y, [2], f"squeeze_{key}")
                g.op("Transpose", [y], f"back_{key}", [f"y_{key}"], perm=[1, 0, 2])
            else:
                g.squeeze(cell.node(g, x, key)[0], [1], f"squeeze_{key}", outputs=[f"y_{key}"])
            g.output(f"y_{key}", [time, batch, cell.units])
        return g.bytes()

    graphs = {f"opset{opset}": graph(opset, 6, 1) for opset in opsets}
    if dynamic:
        graphs[f"opset{opsets[-1]}_dynamic"] = graph(opsets[-1], "time", "batch")

    def run(x):
        tensors = {key: cell.run(x) for key, cell in cells.items()}
        return [layer(key, cells[key].kind, t) for key, t in tensors.items()] + \
            [layer("@output", "Output", {f"y_{key}": t["h"] for key, t in tensors.items()})]

    return Network(name, x_size, graphs, run)


def lstm_forms():
    r = np.random.RandomState(11)
    make = lambda **options: Cell(r, "LSTM", 3, 4, **options)
    cells = {
        "plain": make(), "no_bias": make(no_bias=True), "peepholes": make(peepholes=True),
        "clip": make(clip=0.6, scale=0.8), "coupled": make(input_forget=True),
        "coupled_peepholes": make(input_forget=True, peepholes=True),
        "started": make(constant_states=True), "peepholes_clip": make(peepholes=True, clip=0.5),
    }
    return side_by_side("lstm_forms", 3, cells, (7, 9, 13, 14, 17))


def gru_forms():
    r = np.random.RandomState(12)
    make = lambda **options: Cell(r, "GRU", 3, 4, **options)
    cells = {
        "before": make(scale=0.7), "after": make(linear_before_reset=True, scale=0.7),
        "no_bias": make(no_bias=True), "clip": make(clip=0.6, scale=0.8),
        "clip_after": make(clip=0.6, linear_before_reset=True, scale=0.8),
        "started": make(constant_states=True),
    }
    return side_by_side("gru_forms", 3, cells, (7, 9, 13, 14, 17))


def rnn_forms():
    r = np.random.RandomState(13)
    cells = {"no_bias": Cell(r, "RNN", 3, 4, no_bias=True),
             "clip": Cell(r, "RNN", 3, 4, clip=0.6, scale=0.8),
             "started": Cell(r, "RNN", 3, 4, constant_states=True)}
    for key, functions in FUNCTIONS.items():
        scale = 0.8 if key == "thresholdedrelu_default" else 0.25
        cells[key] = Cell(r, "RNN", 3, 4, functions=[functions], scale=scale)
    return side_by_side("rnn_forms", 3, cells, (7, 13, 14, 17))


FUNCTIONS = {  # name of a cell: function, alpha, beta
    "relu": ("Relu",), "tanh": ("Tanh",), "sigmoid": ("Sigmoid",),
    "affine": ("Affine", 0.5, 0.2), "leakyrelu": ("LeakyRelu", 0.2),
    "thresholdedrelu": ("ThresholdedRelu", 0.1), "scaledtanh": ("ScaledTanh", 0.7, 1.3),
    "hardsigmoid": ("HardSigmoid", 0.3, 0.4), "elu": ("Elu", 0.8), "softsign": ("Softsign",),
    "softplus": ("Softplus",),
    # alpha and beta left to their defaults
    "leakyrelu_default": ("LeakyRelu",), "hardsigmoid_default": ("HardSigmoid",),
    "elu_default": ("Elu",), "thresholdedrelu_default": ("ThresholdedRelu",),
}


def lstm_functions():
    """Every function as f, as g and as h; alpha and beta lists are consumed in that order."""
    r = np.random.RandomState(14)
    keys = [k for k in FUNCTIONS if not k.endswith("default")]
    cells = {}
    for k, key in enumerate(keys):
        functions = [FUNCTIONS[keys[(k + j) % len(keys)]] for j in range(3)]
        cells[key] = Cell(r, "LSTM", 3, 3, functions=functions, scale=0.2,
                          forget_bias=-1.5 if key == "softplus" else 0.0)
    return side_by_side("lstm_functions", 3, cells, (13,), dynamic=False)


def gru_functions():
    r = np.random.RandomState(15)
    keys = [k for k in FUNCTIONS if not k.endswith("default")]
    cells = {}
    for k, key in enumerate(keys):
        functions = [FUNCTIONS[keys[(k + j) % len(keys)]] for j in range(2)]
        cells[key] = Cell(r, "GRU", 3, 3, functions=functions, scale=0.2,
                          linear_before_reset=k % 2 == 1)
    return side_by_side("gru_functions", 3, cells, (13,), dynamic=False)


def layout1():
    """layout 1 (opset 14): batch first, all three kinds, with and without initial states."""
    r = np.random.RandomState(16)
    cells = {f"{kind.lower()}{'_started' if s else ''}":
             Cell(r, kind, 3, 4, layout=True, constant_states=s)
             for kind in ("LSTM", "GRU", "RNN") for s in (False, True)}
    return side_by_side("layout1", 3, cells, (14, 17))


def fed_states():
    """Initial states as graph inputs, final states as graph outputs, one pair per layer of a stack
    (as runtimes want them): the inputs are states that start at zero.  In the graphs `direct` they
    feed the nodes as they are, in `reshaped` as [batch, units] through Unsqueeze and Squeeze."""
    r = np.random.RandomState(17)
    stack = [Cell(r, "LSTM", 3, 5), Cell(r, "LSTM", 5, 4, peepholes=True), Cell(r, "GRU", 4, 4)]

    def graph(opset, reshaped):
        g = Graph(opset)
        y = g.input("x", ["time", 1, 3])
        for k, cell in enumerate(stack):
            shape = [1, cell.units] if reshaped else [1, 1, cell.units]
            states = [g.input(f"{s}_in{k}", shape) for s in ("hc" if cell.kind == "LSTM" else "h")]
            inner = [g.unsqueeze(s, [0], f"unsqueeze_{s}") for s in states] if reshaped else states
            outputs = cell.node(g, y, f"stack{k}", path=f"/stack/{k}/{cell.kind}", states=inner)
            for s, final in zip("hc", outputs[1:]):
                if reshaped:
                    g.squeeze(final, [0], f"final_{s}{k}", outputs=[f"{s}_out{k}"])
                else:
                    g.op("Identity", [final], f"final_{s}{k}", [f"{s}_out{k}"])
                g.output(f"{s}_out{k}", shape)
            y = g.squeeze(outputs[0], [1], f"squeeze{k}")
        last = g.op("Gather", [y, g.ints("minus_one", -1)], "last", ["last"], axis=0)
        g.op("Identity", [last], "result", ["y"])
        g.output("y", [1, 4])
        return g.bytes()

    graphs = {f"opset{o}_{'reshaped' if s else 'direct'}": graph(o, s)
              for o in (9, 13, 17) for s in (False, True)}

    def run(x):
        result, outputs, value = [], {}, x
        for k, cell in enumerate(stack):
            t = cell.run(value)
            value = t["h"]
            result.append(layer(f"stack.{k}", cell.kind, t))
            for s in "hc" if cell.kind == "LSTM" else "h":
                outputs[f"{s}_out{k}"] = t[s]
        return result + [layer("@output", "Output", {**outputs, "y": value})]

    return Network("fed_states", 3, graphs, run)


def two_inputs():
    """Two graph inputs with values, a scalar's broadcast, Min, Max, Pow, Sum-like reductions."""
    r = np.random.RandomState(18)
    cell = Cell(r, "LSTM", 5, 4)
    k = r.uniform(-0.5, 0.5, (4, 3)).astype(np.float32)

    def graph(opset):
        g = Graph(opset)
        a, b = g.input("a", ["time", 1, 3]), g.input("b", ["time", 1, 2])
        x = g.op("Concat", [a, b], "/join/Concat", ["joined"], axis=2)
        x = g.op("Max", [x, g.const("low", np.float32(-2.5))], "/low/Max", ["lowered"])
        x = g.op("Min", [x, g.const("high", np.float32(2.5))], "/high/Min", ["bounded"])
        y = g.squeeze(cell.node(g, x, "core")[0], [1], "squeeze")
        y = g.op("MatMul", [y, g.const("k", k)], "/out/MatMul", ["product"])
        y = g.op("Pow", [y, g.const("two", np.float32(2))], "/square/Pow", ["y"])
        g.op("ReduceMean", [y], "/level/ReduceMean", ["level"], axes=[2], keepdims=1)
        g.output("y", ["time", 1, 3])
        g.output("level", ["time", 1, 1])
        return g.bytes()

    def run(x):
        low = np.maximum(x, -2.5)
        high = np.minimum(low, 2.5)
        t = cell.run(high)
        out = oracle.dense(t["h"], k.T)
        y = out ** 2
        level = y.mean(axis=1, keepdims=True)
        return [layer("join", "Concat", x), layer("low", "Max", low), layer("high", "Min", high),
                layer("core", "LSTM", t), layer("out", "Dense", out), layer("square", "Pow", y),
                layer("level", "ReduceMean", level),
                layer("@output", "Output", {"y": y, "level": level})]

    return Network("two_inputs", 5, {f"opset{o}": graph(o) for o in (9, 13, 17)}, run)


def dynamo():
    """As PyTorch 2's newer exporter writes: nodes are numbered (`node_linear_1`), and the module
    path is in each node's metadata (NodeProto field 9), newer than the onnx package here."""
    r = np.random.RandomState(19)
    cell = Cell(r, "LSTM", 4, 5, layout=False)
    w, b = (r.uniform(-0.5, 0.5, s).astype(np.float32) for s in ((3, 5), (3,)))

    def text(field, value):
        data = value if isinstance(value, bytes) else value.encode()
        assert len(data) < 128
        return bytes([field << 3 | 2, len(data)]) + data

    def scoped(g, *scopes):
        entry = text(1, "pkg.torch.onnx.name_scopes") + text(2, str(list(scopes)))
        g.nodes[-1].MergeFromString(text(9, entry))

    g = Graph(18)
    x = g.input("x", ["s0", "s1", 4])
    y = g.op("Transpose", [x], "node_Transpose_3", ["val_3"], perm=[1, 0, 2])
    scoped(g, "", "forecast.rnn", "lstm")
    y = cell.node(g, y, "rnn", path="node_LSTM_12")[0]
    scoped(g, "", "forecast.rnn", "lstm")
    y = g.squeeze(y, [1], "node_Squeeze_13", outputs=["val_13"])
    y = g.op("Transpose", [y], "node_Transpose_14", ["getitem"], perm=[1, 0, 2])
    y = g.op("Gather", [y, g.ints("val_15", -1)], "node_select", ["select"], axis=1)
    scoped(g, "", "select")
    y = g.op("Gemm", [y, g.const("head.0.weight", w), g.const("head.0.bias", b)], "node_linear",
             ["linear"], transB=1)
    scoped(g, "", "head", "head.0", "linear")
    g.op("Relu", [y], "node_relu", ["relu"])
    scoped(g, "", "head", "head.1", "relu")
    g.output("relu", ["s0", 3])
    graph = helper.make_graph(g.nodes, "main_graph", g.inputs, g.outputs, g.initializers)
    model = helper.make_model(graph, producer_name="pytorch",
                              opset_imports=[helper.make_opsetid("", 18)])

    def run(x):
        t = cell.run(x)
        a = oracle.dense(t["h"], w, b)
        y = np.maximum(a, 0)
        return [layer("forecast.rnn", "LSTM", t), layer("head.0", "Dense", a),
                layer("head.1", "Relu", y), layer("@output", "Output", {"relu": y})]

    return Network("torch2_scopes", 4, {"opset18": model.SerializeToString()}, run)


def networks():
    return [lstm_forms(), gru_forms(), rnn_forms(), lstm_functions(), gru_functions(), layout1(),
            fed_states(), two_inputs(), dynamo()]
