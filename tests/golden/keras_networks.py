"""keras_networks.py - graphs as tf2onnx and keras2onnx write them for Keras models.

A Keras recurrent layer becomes: Transpose to time-major, LSTM or GRU (layout 0) with initial states
made by shape arithmetic from the input's batch, Squeeze of the direction axis, Transpose back; or a
Slice of the last timestep, or a Squeeze or Reshape of Y_h.  Weights are Keras' own arrays here
(kernel [X, 4H] in the order i f c o, or z r h for a GRU), turned to ONNX's order as the converters
do; the oracle reads the same arrays with Keras' equations.
"""
import numpy as np

import oracle
from onnx_graph import INT64_MAX, Graph, pack
from oracle import Network, layer

S = "StatefulPartitionedCall/"
HARD = oracle.gate("HardSigmoid", 0.2, 0.5)


class Weights:
    """glorot-like kernels, reproducible."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def __call__(self, *shape):
        limit = np.sqrt(6.0 / (shape[0] + shape[-1]))
        return self.random.uniform(-limit, limit, shape).astype(np.float32)

    def recurrent(self, x, h, gates, biases=1):
        shape = (gates * h,) if biases == 1 else (biases, gates * h)
        return {"kernel": self(x, gates * h), "recurrent": self(h, gates * h) * np.float32(0.8),
                "bias": self.random.uniform(-0.3, 0.3, shape).astype(np.float32)}


def split(array, names):
    """Keras' columns by gate, rows of ONNX's matrices: {name: [H][X]}, or {name: [H]} of a bias."""
    return {n: part.T for n, part in zip(names, np.split(array, len(names), axis=-1))}


def keras_lstm(x, w, f=oracle.SIGMOID):
    return oracle.lstm(x, split(w["kernel"], "ifgo"), split(w["recurrent"], "ifgo"),
                       split(w["bias"], "ifgo"), f=f)


def keras_gru(x, w, reset_after, f=oracle.SIGMOID):
    b = w["bias"].reshape(-1, w["bias"].shape[-1])
    recurrent = b[1] if len(b) == 2 else np.zeros_like(b[0])
    return oracle.gru(x, split(w["kernel"], "zrn"), split(w["recurrent"], "zrn"),
                      split(b[0], "zrn"), split(recurrent, "zrn"), f=f, reset_after=reset_after)


# ---- tf2onnx ---------------------------------------------------------------------------------

def zeros(g, x, scope, units, name, style):
    """[1, batch, units] zeros, by shape arithmetic on [batch, time, features]."""
    shape = g.op("Shape", [x], f"{scope}/Shape_{name}")
    cast = g.op("Cast", [shape], f"{scope}/Shape_{name}__37", to=6)  # int32
    batch = g.slice(cast, [0], [1], [0], f"{scope}/strided_slice_{name}")
    if style == "squeeze":  # the optimizer did not cancel Squeeze with Unsqueeze
        batch = g.squeeze(batch, [0], f"{scope}/strided_slice_{name}__40")
        batch = g.unsqueeze(batch, [0], f"{scope}/zeros_{name}/packed_Unsqueeze__47")
    count = g.const(f"{scope}/zeros_{name}/packed/1", [units], np.int32)
    packed = g.op("Concat", [batch, count], f"{scope}/zeros_{name}/packed_Concat__48", axis=0)
    wide = g.op("Cast", [packed], f"{scope}/zeros_{name}__45", to=7)  # int64
    if style == "expand":
        value = g.op("Expand", [g.const(f"{scope}/zeros_{name}/Const", 0.0), wide],
                     f"{scope}/zeros_{name}")
    else:
        value = g.op("ConstantOfShape", [wide], f"{scope}/zeros_{name}")
    return g.unsqueeze(value, [0], f"{scope}/Unsqueeze_{name}__50")


def tf_recurrent(g, x, scope, kind, number, weights, style, **attributes):
    """Transpose, LSTM or GRU; gives [time, batch, units] and the state [1, batch, units]."""
    names, order = ("ifgo", "iofg") if kind == "LSTM" else ("zrn", "zrn")
    units = weights["recurrent"].shape[0]
    b = weights["bias"].reshape(-1, weights["bias"].shape[-1])
    both = [pack(split(one, names), order) for one in (b if len(b) == 2 else (b[0], 0 * b[0]))]
    states = [zeros(g, x, scope, units, str(k), style) for k in range(2 if kind == "LSTM" else 1)]
    transposed = g.op("Transpose", [x], f"{scope}/transpose", perm=[1, 0, 2])
    node = f"{kind}__{number}"
    parameters = [g.const(f"W__{number}", pack(split(weights["kernel"], names), order)),
                  g.const(f"R__{number}", pack(split(weights["recurrent"], names), order)),
                  g.const(f"B__{number}", np.concatenate(both, axis=1))]
    g.op(kind, [transposed, *parameters, "", *states], node, [f"{node}:{k}" for k in range(
        3 if kind == "LSTM" else 2)], direction="forward", hidden_size=units, **attributes)
    return g.squeeze(f"{node}:0", [1], f"Squeeze__{number + 1}"), f"{node}:1"


def tf_back(g, y, scope):
    return g.op("Transpose", [y], f"{scope}/transpose_1", perm=[1, 0, 2])


def tf_last(g, y, scope):
    """The last timestep of [time, batch, units]."""
    part = g.slice(y, [-1], [INT64_MAX], [0], f"{scope}/strided_slice_2")
    return g.squeeze(part, [0], f"{scope}/strided_slice_2__60")


def tf_dense(g, x, scope, kernel, bias, activation=None, outputs=None):
    y = g.op("MatMul", [x, g.const(f"{scope}/MatMul/ReadVariableOp:0", kernel)], f"{scope}/MatMul")
    y = g.op("Add", [y, g.const(f"{scope}/BiasAdd/ReadVariableOp:0", bias)], f"{scope}/BiasAdd",
             None if activation else outputs)
    return g.op(activation, [y], f"{scope}/{activation}", outputs) if activation else y


def tf_dense_on_sequence(g, x, scope, kernel, bias, style, outputs):
    """Tensordot: Reshape to rows, MatMul, Reshape back by arithmetic on the input's shape."""
    x_size, y_size = kernel.shape
    rows = g.op("Reshape", [x, g.ints(f"{scope}/Tensordot/Reshape_shape", [-1, x_size])],
                f"{scope}/Tensordot/Reshape")
    product = g.op("MatMul", [rows, g.const(f"{scope}/Tensordot/ReadVariableOp:0", kernel)],
                   f"{scope}/Tensordot/MatMul")
    shape = g.op("Shape", [x], f"{scope}/Tensordot/Shape")
    if style == "gather":
        free = g.op("Gather", [shape, g.ints(f"{scope}/Tensordot/free", [0, 1])],
                    f"{scope}/Tensordot/GatherV2", axis=0)
    else:
        free = g.slice(shape, [0], [2], [0], f"{scope}/Tensordot/strided_slice")
    target = g.op("Concat", [free, g.ints(f"{scope}/Tensordot/Const_2", [y_size])],
                  f"{scope}/Tensordot/concat_1", axis=0)
    y = g.op("Reshape", [product, target], f"{scope}/Tensordot")
    return g.op("Add", [y, g.const(f"{scope}/BiasAdd/ReadVariableOp:0", bias)], f"{scope}/BiasAdd",
                outputs)


def tf_lstm():
    """LSTM(6, return_sequences=True), LSTM(6), Dense(4, relu), Dense(2)."""
    w = Weights(1)
    first, second = w.recurrent(5, 6, 4), w.recurrent(6, 6, 4)
    k0, b0, k1, b1 = w(6, 4), w(4), w(4, 2), w(2)

    def graph(opset, style, time, last, batch="unk__64"):
        g = Graph(opset, "tf2onnx")
        x = g.input("lstm_input", [batch, time, 5])
        m = S + "sequential/"
        y, _ = tf_recurrent(g, x, m + "lstm", "LSTM", 52, first, style)
        y = tf_back(g, y, m + "lstm")
        y, state = tf_recurrent(g, y, m + "lstm_1", "LSTM", 71, second, style)
        y = tf_last(g, y, m + "lstm_1") if last == "slice" else \
            g.squeeze(state, [0], m + "lstm_1/Squeeze__73")
        y = tf_dense(g, y, m + "dense", k0, b0, "Relu")
        y = tf_dense(g, y, m + "dense_1", k1, b1, outputs=["Identity:0"])
        g.op("Identity", [y], "Identity", ["dense_1"])
        g.output("dense_1", [batch, 2])
        return g.bytes()

    graphs = {f"opset{opset}_{style}_{last}": graph(opset, style, "unk__65", last)
              for opset in (9, 11, 13, 15)
              for style, last in (("constantofshape", "slice"), ("expand", "state"))}
    graphs["opset13_squeeze_static"] = graph(13, "squeeze", 12, "slice")
    graphs["opset13_static_all"] = graph(13, "constantofshape", 12, "slice", batch=1)

    def run(x):
        a = keras_lstm(x, first)
        b = keras_lstm(a["h"], second)
        c = oracle.dense(b["h"], k0.T, b0)
        d = np.maximum(c, 0)
        y = oracle.dense(d, k1.T, b1)
        return [layer("lstm", "LSTM", a), layer("lstm_1", "LSTM", b),
                layer("sequential.dense.matmul", "Dense", c), layer("sequential.dense", "Relu", d),
                layer("sequential.dense_1", "Dense", y),
                layer("@output", "Output", {"dense_1": y})]

    return Network("keras_lstm", 5, graphs, run)


def tf_gru():
    """GRU(6, return_sequences=True), GRU(6, reset_after=False, recurrent_activation=
    'hard_sigmoid', return_sequences=True), TimeDistributed(Dense(3))."""
    w = Weights(2)
    first, second = w.recurrent(4, 6, 3, biases=2), w.recurrent(6, 6, 3)
    kernel, bias = w(6, 3), w(3)

    def graph(opset, style, time):
        g = Graph(opset, "tf2onnx")
        x = g.input("gru_input", ["unk__9", time, 4])
        m = S + "model/"
        y, _ = tf_recurrent(g, x, m + "gru", "GRU", 20, first, "constantofshape",
                            linear_before_reset=1, activations=["Sigmoid", "Tanh"])
        y = tf_back(g, y, m + "gru")
        y, _ = tf_recurrent(g, y, m + "gru_1", "GRU", 30, second, "expand", linear_before_reset=0,
                            activations=["HardSigmoid", "Tanh"], activation_alpha=[0.2],
                            activation_beta=[0.5])
        y = tf_back(g, y, m + "gru_1")
        tf_dense_on_sequence(g, y, m + "dense", kernel, bias, style, ["dense"])
        g.output("dense", ["unk__9", time, 3])
        return g.bytes()

    graphs = {f"opset{opset}_{style}": graph(opset, style, "unk__10")
              for opset in (9, 11, 13, 15) for style in ("gather", "slice")}
    graphs["opset13_static"] = graph(13, "gather", 12)

    def run(x):
        a = keras_gru(x, first, reset_after=True)
        b = keras_gru(a["h"], second, reset_after=False, f=HARD)
        y = oracle.dense(b["h"], kernel.T, bias)
        return [layer("gru", "GRU", a), layer("gru_1", "GRU", b),
                layer("model.dense", "Dense", y), layer("@output", "Output", {"dense": y})]

    return Network("keras_gru", 4, graphs, run)


# ---- keras2onnx ------------------------------------------------------------------------------

def k2_lstm():
    """Keras 2: LSTM(5, recurrent_activation='hard_sigmoid', return_sequences=True), LSTM(5),
    Dense(2, activation='sigmoid')."""
    w = Weights(3)
    first, second = w.recurrent(3, 5, 4), w.recurrent(5, 5, 4)
    kernel, bias = w(5, 2), w(2)

    def recurrent(g, x, name, weights, alpha):
        xt = g.op("Transpose", [x], f"Transpose_{name}", [f"{name}_X"], perm=[1, 0, 2])
        b = np.concatenate([pack(split(one, "ifgo"), "iofg")
                            for one in (weights["bias"], 0 * weights["bias"])], axis=1)
        parameters = [g.const(f"{name}_W", pack(split(weights["kernel"], "ifgo"), "iofg")),
                      g.const(f"{name}_R", pack(split(weights["recurrent"], "ifgo"), "iofg")),
                      g.const(f"{name}_B", b)]
        gates = {"activations": ["HardSigmoid" if alpha else "Sigmoid", "Tanh", "Tanh"]}
        if alpha:
            gates.update(activation_alpha=[0.2], activation_beta=[0.5])
        g.op("LSTM", [xt, *parameters, "", "", "", ""], name,
             [f"{name}_Y", f"{name}_Y_h", f"{name}_Y_c"], direction="forward", hidden_size=5,
             **gates)
        return f"{name}_Y", f"{name}_Y_h"

    def graph(opset, time):
        g = Graph(opset, "keras2onnx")
        x = g.input("lstm_1_input", ["N", "T" if time is None else time, 3])
        y, _ = recurrent(g, x, "lstm_1", first, alpha=True)
        y = g.op("Transpose", [y], "Transpose3", ["y_transposed"], perm=[2, 0, 1, 3])
        if time is None:
            shape = g.op("Shape", [x], "Shape1", ["x_shape"])
            steps = g.slice(shape, [1], [2], [0], "Slice1")
            target = g.op("Concat", [g.ints("_a", [-1]), steps, g.ints("_b", [5])], "Concat1",
                          ["output_seq_shape"], axis=0)
        else:
            target = g.ints("shape_tensor", [-1, time, 5])
        y = g.op("Reshape", [y, target], "Reshape1", ["lstm_1/transpose_1:0"])
        y = g.op("Identity", [y], "Identity1", ["lstm_1"])
        _, state = recurrent(g, y, "lstm_2", second, alpha=False)
        y = g.op("Reshape", [state, g.ints("shape_tensor2", [-1, 5])], "Reshape2",
                 ["lstm_2/strided_slice_16:0"])
        y = g.op("MatMul", [y, g.const("dense_1/kernel:0", kernel)], "dense_1", ["dense_1_product"])
        y = g.op("Add", [y, g.const("dense_1/bias:0", bias)], "Add", ["biased"])
        y = g.op("Sigmoid", [y], "Sigmoid", ["dense_1/Sigmoid:0"])
        g.op("Identity", [y], "Identity2", ["dense_1_01"])
        g.output("dense_1_01", ["N", 2])
        return g.bytes()

    graphs = {f"opset{opset}_{'dynamic' if time is None else 'static'}": graph(opset, time)
              for opset in (7, 9, 11, 12) for time in (None, 12)}

    def run(x):
        a = keras_lstm(x, first, HARD)
        b = keras_lstm(a["h"], second)
        c = oracle.dense(b["h"], kernel.T, bias)
        y = oracle.sigmoid(c)
        return [layer("lstm_1", "LSTM", a), layer("lstm_2", "LSTM", b),
                layer("dense_1", "Dense", c), layer("sigmoid", "Sigmoid", y),
                layer("@output", "Output", {"dense_1_01": y})]

    return Network("keras2_hard_sigmoid", 3, graphs, run)


def networks():
    return [tf_lstm(), tf_gru(), k2_lstm()]
