#!/usr/bin/env python3
"""make_graphs.py - writes the small ONNX graphs that the unit tests of lib/model load.

Needs python3-onnx; not needed to run the tests: the files lie beside it.  Weights are such that
results can be told by looking: an RNN with Relu, W = 1 and R = 1 adds up its inputs.
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
SEQ = ["B", "T", 4]


def f(name, array):
    return numpy_helper.from_array(np.asarray(array, np.float32), name)


def i(name, array):
    return numpy_helper.from_array(np.asarray(array, np.int64), name)


def n(op, ins, outs, name="", **attrs):
    return helper.make_node(op, ins.split(), outs.split(), name=name or "/" + op, **attrs)


def port(name, dims, elem=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, elem, dims)


def save(name, nodes, inits=(), inputs=None, outputs="y", opset=13, edit=None):
    graph = helper.make_graph(
        nodes,
        "g",
        [port("x", SEQ)] if inputs is None else inputs,
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs.split()],
        list(inits),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.producer_name = ""
    if edit:
        edit(model)
    with open(os.path.join(HERE, name + ".onnx"), "wb") as out:
        out.write(model.SerializeToString(deterministic=True))


def adder(prefix, units, inputs):
    """Weights of an RNN that adds input 0 (and 1, ..) to its units."""
    w = np.zeros((1, units, inputs))
    for k in range(min(units, inputs)):
        w[0, k, k] = 1
    return [f(prefix + "W", w), f(prefix + "R", np.eye(units)[None])]


def rnn(ins, outs, name="/rnn/RNN", units=2, **attrs):
    return n("RNN", ins, outs, name, hidden_size=units, activations=["Relu"], **attrs)


TO_TIME = n("Transpose", "x", "xt", perm=[1, 0, 2])
RNN2 = [TO_TIME, rnn("xt W R", "Y Yh")]
RNN2_SEQ = RNN2 + [n("Squeeze", "Y one", "y_t"), n("Transpose", "y_t", "y", "/back", perm=[1, 0, 2])]
W2 = adder("", 2, 4) + [i("one", [1])]

# ---- what moves values about -----------------------------------------------------------------

save("slice", [n("Slice", "x s e a", "y")], [i("s", [1]), i("e", [3]), i("a", [2])])
save("slice_attr", [n("Slice", "x", "y", starts=[-3], ends=[2**62], axes=[-1])], opset=9)
save("slice_back", [n("Slice", "x s e a t", "y")],
     [i("s", [-1]), i("e", [-(2**62)]), i("a", [2]), i("t", [-2])])
save("gather", [n("Gather", "x k", "y", axis=-1)], [i("k", [3, -4])])
save("split", [n("Split", "x sizes", "a b c", axis=2), n("Concat", "c a", "y", axis=-1)],
     [i("sizes", [1, 1, 2])])
save("split_attr", [n("Split", "x", "a y", axis=2, split=[1, 3])], opset=11)
save("permute", [n("Reshape", "x s", "r"), n("Transpose", "r", "t", perm=[0, 1, 3, 2]),
                 n("Reshape", "t u", "y", "/Reshape_1")], [i("s", [0, 0, 2, 2]), i("u", [0, 0, -1])])
save("tile", [n("Tile", "x k", "y")], [i("k", [1, 1, 2])])
save("expand", [n("Slice", "x s e a", "c"), n("Expand", "c k", "y")],
     [i("s", [1]), i("e", [2]), i("a", [2]), i("k", [1, 1, 3])])
save("concat_constant", [n("Shape", "x", "s"), n("Slice", "s z two z", "bt"),
                         n("Concat", "bt two", "s3", axis=0), n("Expand", "c s3", "c3"),
                         n("Concat", "x c3", "y", "/Concat_1", axis=2)],
     [i("z", [0]), i("two", [2]), f("c", [7, 8])])
save("dropout", [n("Dropout", "x", "a"), n("Identity", "a", "b"),
                 n("Cast", "b", "y", to=TensorProto.FLOAT)], opset=12)
save("cast_input", [n("Cast", "x", "a", to=TensorProto.FLOAT), n("Neg", "a", "y")],
     inputs=[port("x", SEQ, TensorProto.DOUBLE)])

# ---- what depends on the values ---------------------------------------------------------------

save("where", [n("GreaterOrEqual", "x k", "g", "/ge"), n("Where", "g x low", "y")],
     [f("k", 2), f("low", -7)], opset=16)
save("where_softplus", [n("Greater", "x k", "g"), n("Softplus", "x", "s"), n("Where", "g x s", "y")],
     [f("k", 20)], opset=16)
save("where_constant", [n("Less", "x k", "g"), n("Where", "g a b", "y")],
     [f("k", 3), f("a", [1, 2, 3, 4]), f("b", np.inf)], opset=16)
save("where_mask", [n("Where", "m x b", "y")],
     [numpy_helper.from_array(np.array([True, False, True, False]), "m"), f("b", 9)], opset=16)
save("compare", [n("LessOrEqual", "x k", "a", "/le"), n("Equal", "x one", "b"), n("Not", "b", "c"),
                 n("And", "a c", "d"), n("Less", "four x", "e"), n("Or", "d e", "g"),
                 n("Cast", "g", "y", to=1)], [f("k", 3), f("one", 1), f("four", 4)], opset=16)
save("compare_last", [TO_TIME, rnn("xt W R", "Y Yh"), n("Squeeze", "Y one", "y_t"),
                      n("Gather", "y_t last", "h", axis=0), n("Greater", "h k", "g"),
                      n("Where", "g h k", "y")], W2 + [i("last", -1), f("k", 4)], opset=16)
save("sign", [n("Sub", "x two", "d"), n("Sign", "d", "y")], [f("two", 2)])
save("shrink", [n("Shrink", "x", "a", lambd=2.0, bias=1.0), n("Sub", "x four", "b"),
                n("Shrink", "b", "c", "/Shrink_1", lambd=1.5, bias=0.5),
                n("ThresholdedRelu", "x", "d", alpha=2.0), n("Add", "a c", "e", "/Add_1"),
                n("Add", "e d", "y", "/Add_2")], [f("four", 4)])
save("swish", [n("Swish", "x", "y", alpha=2.0)], opset=24)
save("celu", [n("Sub", "x three", "d"), n("Celu", "d", "y", alpha=2.0)], [f("three", 3)])
save("cast_like", [n("CastLike", "two x", "k"), n("Mul", "x k", "a", "/scale/Mul"),
                   n("CastLike", "a x", "y")], [i("two", 2)], opset=15)
save("norm_rms", [n("RMSNormalization", "x scale", "y", "/norm/RMSNormalization", epsilon=0.5)],
     [f("scale", [1, 1, 1, 2])], opset=23)

# ---- functions of the model's own -------------------------------------------------------------


def mine(node):
    node.domain = "my"
    return node


def function(name, ins, outs, nodes, attributes=()):
    return helper.make_function("my", name, ins.split(), outs.split(), nodes,
                                [helper.make_opsetid("", 16), helper.make_opsetid("my", 1)],
                                list(attributes))


def refers(node, name, to):
    attribute = node.attribute.add(name=name, type=1)
    attribute.ref_attr_name = to
    return node


TWIST = function("Twist", "a b", "c", [n("Sub", "a b", "t", ""),
                                       refers(n("LeakyRelu", "t", "c"), "alpha", "slope")], ["slope"])
OUTER = function("Outer", "p", "q more", [
    n("Constant", "", "k", value_float=2.5), mine(n("Twist", "p k", "t", slope=0.5)),
    mine(n("Twist", "t k", "u")), n("Neg", "t", "q"), n("Add", "u k", "more")])
OUTER.node[0].input[:] = []
FIRST = function("First", "a", "b", [mine(n("Second", "a", "b"))])
SECOND = function("Second", "a", "b", [mine(n("First", "a", "b"))])
save("function", [mine(n("Outer", "x", "y", "/act/Outer")), mine(n("Twist", "y y", "z", "/Twist"))],
     outputs="y", edit=lambda m: m.functions.extend([TWIST, OUTER]), opset=16)
save("function_default", [mine(n("Outer", "x", "", "/act/Outer"))], outputs="y",
     edit=lambda m: (m.functions.extend([OUTER, TWIST]), m.graph.node[0].output.extend(["", "y"])),
     opset=16)
save("bad_function", [mine(n("First", "x", "y", "/act/First"))],
     edit=lambda m: m.functions.extend([FIRST, SECOND]), opset=16)
save("bad_function_unknown", [mine(n("Third", "x", "y", "/act/Third"))],
     edit=lambda m: m.functions.extend([FIRST, SECOND]), opset=16)

# ---- branches ---------------------------------------------------------------------------------


def branch(nodes, outputs, inits=()):
    return helper.make_graph(nodes, "b", [], [port(o, None) for o in outputs.split()], list(inits))


def fork(condition, outputs, then, other, name="/fork/If"):
    return n("If", condition, outputs, name, then_branch=then, else_branch=other)


LAST = [TO_TIME, rnn("xt W R", "Y Yh"), n("Squeeze", "Y one", "t"),
        n("Slice", "t last huge zero", "c"), n("Shape", "c", "s"), n("Gather", "s zero", "k")]
SIZES = [i("one", [1]), i("zero", [0]), i("last", [-1]), i("huge", [2**62])]
SQUEEZE = branch([n("Squeeze", "c axis", "a")], "a", [i("axis", [0])])
AS_IT_IS = branch([n("Identity", "c", "a")], "a")
save("branch", LAST + [n("Equal", "k one", "q"), fork("q", "y", SQUEEZE, AS_IT_IS)],
     SIZES + adder("", 2, 4))
CHOICE = [n("Neg", "x", "a", "/in/Neg"), n("Abs", "a", "b", "/in/Abs"),
          fork("no", "c d", branch([], "x a"), branch([n("Add", "a b", "e", "/in/Add")], "e b"))]
save("branch_inside", [fork("yes", "z y", branch(CHOICE, "c d"), branch([], "x x")),
                       n("Mul", "z y", "w")],
     [numpy_helper.from_array(np.array([v], bool), k) for k, v in (("yes", True), ("no", False))],
     outputs="y w")
save("bad_branch", [n("ReduceSum", "x axis", "k"), n("Greater", "k zero", "q"),
                    fork("q", "y", branch([], "x"), branch([n("Neg", "x", "a")], "a"))],
     [i("axis", [1]), f("zero", 0)], inputs=[port("x", [1, 4])])
save("bad_branch_reads", [n("Neg", "x", "a"),
                          fork("q", "y", branch([n("Neg", "later", "b", "/in/Neg")], "b"), AS_IT_IS),
                          n("Neg", "a", "later")], [i("q", [0]), f("c", 1)])
save("bad_branch_one", [n("If", "q", "y", "/fork/If", then_branch=branch([], "x"))], [i("q", [0])])
save("bad_branch_deep", [fork("q", "y", branch([], "x"), branch([], "x"))], [i("q", [0])],
     edit=lambda m: [m.graph.node[0].attribute[0].g.CopyFrom(
         branch([m.graph.node[0]], "y")) for _ in range(9)])

# ---- weights in a file of their own ------------------------------------------------------------


def save_external(name):
    path = os.path.join(HERE, name + ".onnx")
    if os.path.exists(path + ".data"):
        os.unlink(path + ".data")
    save(name, [n("Gemm", "x M b", "y", "/fc/Gemm", transB=1)],
         [f("M", np.arange(8).reshape(2, 4)), f("b", [1, -1])], inputs=[port("x", ["B", 4])],
         edit=states(None, "pytorch"))
    onnx.save_model(onnx.load(path), path, save_as_external_data=True, size_threshold=0,
                    all_tensors_to_one_file=True, location=name + ".onnx.data")


# ---- states of one's own ---------------------------------------------------------------------


def states(text, producer=""):
    def edit(model):
        model.producer_name = producer
        if text is not None:
            helper.set_model_props(model, {"celltap.states": text, "author": "me"})
    return edit


save_external("external")
XS = [port("x", ["B", 2]), port("s", ["B", 2])]
SUM = [n("Add", "x s", "y")]
save("carry", SUM, inputs=XS, edit=states("s=y"))
save("carry_unused", [n("Neg", "x", "y")], inputs=XS, edit=states(" s=y,\n"))
DELAY = [n("Identity", "a", "y"), n("Identity", "b", "a_out"), n("Identity", "x", "b_out")]
save("carry_delay", DELAY, inputs=[port("a", [1, 2]), port("x", [1, 2]), port("b", [1, 2])],
     outputs="y a_out b_out", edit=states("b=b_out a=a_out"))
save("bad_carry_input", SUM, inputs=XS, edit=states("state=y"))
save("bad_carry_output", SUM, inputs=XS, edit=states("s=x"))
save("bad_carry_form", SUM, inputs=XS, edit=states("s"))
save("bad_carry_twice", SUM, inputs=XS, edit=states("s=y s=y"))
save("bad_carry_shape", SUM + [n("Concat", "x y", "z", axis=1)], inputs=XS, outputs="y z",
     edit=states("s=z"))
save("bad_carry_all", SUM, inputs=XS, edit=states("s=y x=y"))
save("remark_states", SUM, inputs=XS, edit=states(None))
save("remark_window", [n("Reshape", "x s", "r"), n("MatMul", "r M", "y")],
     [i("s", [1, 12]), f("M", np.ones((12, 2)))],
     inputs=[port("x", [1, 3, 4])])
GRU = [TO_TIME, n("GRU", "xt W R", "y", "/gru/GRU", hidden_size=2)]
GRU_W = [f("W", np.ones((1, 6, 4))), f("R", np.ones((1, 6, 2)))]
save("remark_gru", GRU, GRU_W, edit=states(None, "pytorch"))

# ---- shapes that are computed ----------------------------------------------------------------

ROWS = [n("Shape", "x", "s"), n("Gather", "s i0", "b", axis=0), n("Gather", "s i1", "t", axis=0),
        n("Mul", "b t", "bt", "/Mul_s"), n("Unsqueeze", "bt", "bt1", "/u0", axes=[0]),
        n("Concat", "bt1 four", "rows", axis=0), n("Reshape", "x rows", "xr"),
        n("MatMul", "xr M", "mr", "/fc/MatMul"), n("Add", "mr bias", "ar", "/fc/Add"),
        n("Unsqueeze", "b", "b1", "/u1", axes=[0]), n("Unsqueeze", "t", "t1", "/u2", axes=[0]),
        n("Concat", "b1 t1 minus", "back", "/c1", axis=0), n("Reshape", "ar back", "y", "/r1")]
save("merged_rows", ROWS, [i("i0", 0), i("i1", 1), i("four", [4]), i("minus", [-1]),
                           f("M", np.arange(8).reshape(4, 2)), f("bias", [1, -1])], opset=11)
save("zero_state", [n("Shape", "x", "s"), n("Gather", "s i0", "b", axis=0),
                    n("Unsqueeze", "b zero", "b1"), n("Concat", "one b1 two", "hs", axis=0),
                    n("ConstantOfShape", "hs", "h"), TO_TIME, rnn("xt W R  h".replace("  ", " _ _ "), "Y Yh"),
                    n("Squeeze", "Y one", "y")],
     W2 + [i("i0", 0), i("zero", [0]), i("two", [2])],
     edit=lambda m: [node.input.__setitem__(k, "") for node in m.graph.node
                     for k, v in enumerate(node.input) if v == "_"])
save("where_expand", [n("Shape", "x", "s"), n("ConstantOfShape", "three", "ones", value=i("v", [1])),
                      n("Mul", "ones minus", "m"), n("Equal", "k m", "q"), n("Where", "q ones k", "w"),
                      n("Expand", "c w", "big"), n("Mul", "x big", "y", "/scale/Mul")],
     [i("three", [3]), i("minus", -1), i("k", [-1, -1, 4]), f("c", [[[1, 2, 3, 4]]])])
save("range", [n("Range", "a b c", "r"), n("Cast", "r", "rf", to=1), n("Add", "x rf", "y")],
     [i("a", 1), i("b", 5), i("c", 1)])

# ---- arithmetic, in its spellings -------------------------------------------------------------

CHAIN = "Add Sub Mul Div Max Min"
for op in CHAIN.split():
    save("op_" + op.lower(), [n(op, "x c", "y")], [f("c", [2, 2, 4, 4])])
save("op_rsub", [n("Sub", "c x", "y")], [f("c", 10)])
save("op_pow", [n("Pow", "x two", "a"), n("Pow", "a half", "b", "/Pow_1"), n("Pow", "b three", "y", "/Pow_2")],
     [f("two", 2), f("half", 0.5), i("three", 3)])
save("op_sum", [n("Sum", "x x c", "y")], [f("c", [1])])
save("op_unary", [n("Neg", "x", "a"), n("Abs", "a", "b"), n("Sqrt", "b", "c"), n("Relu", "c", "y")])
save("clip_attr", [n("Clip", "x", "y", min=2.0, max=3.0)], opset=9)
save("clip_input", [n("Clip", "x lo hi", "y")], [f("lo", 2), f("hi", 3)])
save("clip_low", [n("Clip", "x lo", "y")], [f("lo", 2)])
for opset, axis in ((11, None), (13, None)):
    attrs = {} if axis is None else {"axis": axis}
    save("softmax_%d" % opset, [n("Reshape", "x s", "r"), n("Softmax", "r", "y", **attrs)],
         [i("s", [-1, 2, 2])], inputs=[port("x", ["B", 4])], opset=opset)
save("mean_attr", [n("ReduceMean", "x", "y", axes=[-1], keepdims=0)])
save("mean_input", [n("ReduceMean", "x a", "y", keepdims=1)], [i("a", [2])], opset=18)
save("sum_input", [n("ReduceSum", "x a", "y")], [i("a", [2])])
save("max_axes", [n("Reshape", "x s", "r"), n("ReduceMax", "r", "y", axes=[2], keepdims=0)],
     [i("s", [0, 0, 2, 2])])
save("gemm", [n("Gemm", "x W C", "y", "/fc/Gemm", alpha=2.0, beta=3.0, transB=1)],
     [f("W", [[1, 0, 0, 0], [0, 1, 1, 0]]), f("C", [1, -1])], inputs=[port("x", ["B", 4])])
save("matmul_left", [n("Reshape", "x s", "r"), n("MatMul", "A r", "m"), n("Reshape", "m u", "y", "/r1")],
     [i("s", [0, 0, 2, 2]), f("A", [[1, 1]]), i("u", [0, 0, 2])])
save("batch_norm", [n("Transpose", "x", "a", perm=[0, 2, 1]),
                    n("BatchNormalization", "a s b m v", "c", "/bn/BatchNormalization", epsilon=0.0),
                    n("Transpose", "c", "y", "/t1", perm=[0, 2, 1])],
     [f("s", [1, 2, 1, 1]), f("b", [0, 1, 0, 0]), f("m", [1, 1, 1, 1]), f("v", [1, 4, 1, 1])])
NORM = [n("ReduceMean", "x", "m", "/norm/ReduceMean", axes=[-1]), n("Sub", "x m", "d", "/norm/Sub"),
        n("Pow", "d two", "p", "/norm/Pow"), n("ReduceMean", "p", "v", "/norm/ReduceMean_1", axes=[-1]),
        n("Add", "v eps", "a", "/norm/Add"), n("Sqrt", "a", "r", "/norm/Sqrt"),
        n("Div", "d r", "q", "/norm/Div"), n("Mul", "q g", "s", "/norm/Mul"),
        n("Add", "s b", "y", "/norm/Add_1")]
NORM_W = [f("two", 2), f("eps", 0), f("g", [1, 1, 1, 2]), f("b", [1, 1, 1, 1])]
save("norm_spelled", NORM, NORM_W)
save("norm_shared", NORM + [n("Identity", "d", "also")], NORM_W, outputs="y also")
save("norm_op", [n("LayerNormalization", "x g b", "y", "/norm/LayerNormalization", epsilon=1e-12)],
     [f("g", [1, 1, 1, 2]), f("b", [1, 1, 1, 1])], opset=17)
save("dense_shared", [n("MatMul", "x M", "m", "/fc/MatMul"), n("Add", "m b", "y", "/fc/Add")],
     [f("M", np.eye(4)), f("b", [1, 2, 3, 4])], outputs="y m")

# ---- recurrent layers ------------------------------------------------------------------------

save("rnn_sequence", RNN2_SEQ, W2)
save("rnn_last_slice", RNN2_SEQ[:-1] + [n("Slice", "y_t s e z", "l"), n("Squeeze", "l z", "y", "/s1")],
     W2 + [i("s", [-1]), i("e", [2**62]), i("z", [0])])
save("rnn_last_gather", RNN2_SEQ[:-1] + [n("Gather", "y_t k", "y", axis=0)], W2 + [i("k", -1)])
save("rnn_last_static", RNN2_SEQ[:-1] + [n("Gather", "y_t k", "y", axis=0)], W2 + [i("k", 49)],
     inputs=[port("x", [1, 50, 4])])
save("rnn_layout", [rnn("x W R", "Y y", layout=1)], W2, opset=14)
save("rnn_time_major", [rnn("x W R", "y")], W2, inputs=[port("x", ["T", "B", 4])])
save("rnn_unbatched", [n("Unsqueeze", "x one", "xt"), rnn("xt W R", "y")], W2, inputs=[port("x", ["T", 4])])
save("rnn_univariate", [n("Unsqueeze", "x two", "u"), n("Transpose", "u", "xt", perm=[1, 0, 2]),
                        rnn("xt W R", "y")], adder("", 2, 1) + [i("two", [2])],
     inputs=[port("x", ["B", "T"])])
STATE = [port("x", ["T", "B", 4]), port("h0", [2, "B", 2])]
SLICES = [n("Slice", "h0 z one z", "ha", "/sa"), n("Slice", "h0 one two z", "hb", "/sb")]
save("rnn_states", SLICES + [rnn("x W R _ _ ha", "Ya ya", "/enc/RNN"), n("Squeeze", "Ya one", "sa"),
                             rnn("sa W2 R2 _ _ hb", "Yb yb", "/enc/RNN_1"),
                             n("Concat", "ya yb", "hn", "/enc/Concat", axis=0),
                             n("Squeeze", "Yb one", "y", "/s1")],
     W2 + adder("", 2, 2)[:0] + [f("W2", np.eye(2)[None]), f("R2", np.eye(2)[None]),
                                 i("z", [0]), i("two", [2])],
     inputs=STATE, outputs="y hn",
     edit=lambda m: [node.input.__setitem__(k, "") for node in m.graph.node
                     for k, v in enumerate(node.input) if v == "_"])


def blank(model):
    for node in model.graph.node:
        for k, v in enumerate(node.input):
            if v == "_":
                node.input[k] = ""


save("rnn_constant_state", [TO_TIME, rnn("xt W R _ _ h", "y")], W2 + [f("h", [[[5, 7]] * 3])], edit=blank,
     inputs=[port("x", [3, "T", 4])])
save("rnn_lengths", [TO_TIME, rnn("xt W R _ n", "y")], W2, edit=blank,
     inputs=[port("x", SEQ), port("n", ["B"], TensorProto.INT32)])
save("rnn_kept", RNN2 + [n("Neg", "x", "y")], W2)
save("lstm_full", [n("LSTM", "x W R B _ h c P", "Y Yh Yc", "/lstm/LSTM", hidden_size=1, clip=3.0,
                     activations=["HardSigmoid", "Affine", "Elu"], activation_alpha=[0.3, 2.0, 0.5],
                     activation_beta=[0.4, 0.1], input_forget=1)],
     [f("W", np.ones((1, 4, 1))), f("R", np.ones((1, 4, 1))), f("B", np.zeros((1, 8))),
      f("h", [[[1]]]), f("c", [[[2]]]), f("P", [[0, 0, 0]])],
     inputs=[port("x", ["T", 1, 1])], outputs="Y Yh Yc", edit=blank)

# ---- refused ---------------------------------------------------------------------------------

R = {}
R["reverse"] = ([rnn("x W R", "y", direction="reverse")], W2)
R["bidirectional"] = ([rnn("x W R", "y", direction="bidirectional")], W2)
R["first_timestep"] = (RNN2_SEQ[:-1] + [n("Gather", "y_t k", "y", "/pick", axis=0)], W2 + [i("k", 0)])
R["window"] = (RNN2_SEQ[:-1] + [n("Slice", "y_t s e a", "y", "/pick")],
               W2 + [i("s", [-2]), i("e", [2**62]), i("a", [0])])
R["flip"] = (RNN2_SEQ[:-1] + [n("Slice", "y_t s e a s", "y", "/pick")],
             W2 + [i("s", [-1]), i("e", [-(2**62)]), i("a", [0])])
R["flip_static"] = ([n("Slice", "x s e a s", "f", "/pick"), n("Transpose", "f", "xt", perm=[1, 0, 2]), rnn("xt W R", "y")],
                    W2 + [i("s", [-1]), i("e", [-(2**62)]), i("a", [1])])
R["weights"] = ([rnn("x W R", "y", units=3)], W2)  # time-major: other guesses see no sequence
R["second_last"] = (RNN2_SEQ[:-1] + [n("Gather", "y_t k", "y", "/pick", axis=0)], W2 + [i("k", -2)])
R["sine"] = ([n("Sin", "x", "y", "/wave")], [])
R["xor"] = ([n("Greater", "x k", "g"), n("Xor", "g g", "y", "/odd")], [f("k", 0)])
R["mean_time"] = ([n("ReduceMean", "x", "y", "/pool", axes=[1])], [])
R["softmax_time"] = ([n("Softmax", "x", "y", "/pool", axis=1)], [])
R["mean_batch"] = ([n("ReduceMean", "x", "y", "/pool", axes=[0])], [])
R["pick_batch"] = (RNN2_SEQ + [n("Gather", "y k", "z", "/pick", axis=0), n("Neg", "z", "w")], W2 + [i("k", 0)])
R["mix_last"] = (RNN2_SEQ[:-1] + [n("Slice", "y_t s e z", "l"), n("Add", "y_t l", "y", "/mix")],
                 W2 + [i("s", [-1]), i("e", [2**62]), i("z", [0])])
R["concat_last"] = (RNN2_SEQ[:-1] + [n("Slice", "y_t s e z", "l"), n("Concat", "y_t l", "y", "/mix", axis=2)],
                    W2 + [i("s", [-1]), i("e", [2**62]), i("z", [0])])
R["repeat_last"] = (RNN2 + [n("Shape", "xt", "s"), n("Slice", "s z two z", "tb"),
                            n("Concat", "tb two", "k", axis=0), n("Expand", "Yh k", "y", "/repeat")],
                    W2 + [i("z", [0]), i("two", [2])])
R["rnn_over_last"] = (RNN2 + [rnn("Yh W2 R", "y", "/second/RNN")], W2 + [f("W2", np.eye(2)[None])])
R["state_from_data"] = (RNN2 + [rnn("xt W R _ _ Yh", "y", "/second/RNN")], W2)
R["attention"] = ([n("Transpose", "x", "k", perm=[0, 2, 1]), n("MatMul", "x k", "y", "/attend")], [])
R["mix_timesteps"] = (RNN2 + [n("Transpose", "Y", "a", "/t", perm=[1, 2, 3, 0]), n("MatMul", "a M", "y", "/mix")],
                      [f("M", np.ones((50, 2)))] + W2)
R["conv"] = ([n("Conv", "x K", "y", "/conv/Conv")], [f("K", np.ones((4, 4, 3)))])
R["unknown"] = ([n("Frobnicate", "x", "y", "/odd")], [])
R["attribute"] = ([n("Relu", "x", "y", "/odd", sharpness=2)], [])
R["position"] = (RNN2 + [n("Add", "Y p", "y", "/embed")], [f("p", np.arange(50).reshape(50, 1, 1, 1))] + W2)
R["length"] = ([n("Shape", "x", "s"), n("Gather", "s one", "t"), n("Cast", "t", "tf", to=1),
                n("Div", "x tf", "y", "/average")], [i("one", [1])])
R["split_time"] = (RNN2 + [n("Reshape", "Y s", "y", "/cut")], [i("s", [-1, 10])] + W2)
R["stops_early"] = ([TO_TIME, rnn("xt W R _ n", "y")], W2 + [numpy_helper.from_array(np.array([7], np.int32), "n")])
R["state_rows"] = ([TO_TIME, rnn("xt W R _ _ h", "y")], W2 + [f("h", [[[5, 7], [5, 8]]])])
R["activation"] = ([TO_TIME, n("RNN", "xt W R", "y", "/rnn/RNN", hidden_size=2, activations=["Cosine"])], W2)
STATIC = {"mix_timesteps": ["B", 50, 4], "position": [2, 50, 4], "split_time": [2, 50, 4], "state_rows": [2, "T", 4],
          "flip_static": [1, 7, 4], "weights": ["T", 1, 4], "reverse": ["T", "B", 4], "bidirectional": ["T", "B", 4]}
for name, (nodes, inits) in R.items():
    out = nodes[-1].output[0]
    save("bad_" + name, nodes, inits, outputs=out, edit=blank,
         inputs=[port("x", STATIC.get(name, SEQ))])
save("bad_no_output", [n("Relu", "x", "y")], outputs="")
save("bad_softmax_old", [n("Softmax", "x", "y", "/pool")], opset=11)
save("bad_opset", [n("Relu", "x", "y")], opset=6)
save("bad_open_features", [n("Relu", "x", "y")], inputs=[port("x", ["B", "T", "F"])])
save("bad_domain", [n("Relu", "x", "y", "/odd")], edit=lambda m: setattr(m.graph.node[0], "domain", "com.x"))
save("bad_order", [n("Relu", "later", "y", "/early"), n("Neg", "x", "later", "/late")])
save("bad_external", [n("Add", "x w", "y")], [f("w", [1])],
     edit=lambda m: m.graph.initializer[0].external_data.add(key="location", value="w.bin"))
save("bad_huge", [n("ConstantOfShape", "s", "h"), n("Range", "a b c", "r"), n("Neg", "x", "y"), n("Add", "h r", "z", "/huge")],
     [i("s", [2**40, 1]), i("a", 0), i("b", 2**35), i("c", 1)], outputs="y z")

# ---- names -----------------------------------------------------------------------------------


def names(case, given, op="Relu", inits=(), edit=None, opset=13):
    """A chain of nodes with the given names."""
    nodes = [n(op, ("x" if k == 0 else "v%d" % (k - 1)) + ("" if not inits else " " + inits[k].name),
               "v%d" % k, "?") for k in range(len(given))]
    for node, name in zip(nodes, given):
        node.name = name
    save("name_" + case, nodes, inits, outputs="v%d" % (len(given) - 1), edit=edit, opset=opset)


names("torch", ["/net/net.0/Relu", "/encoder/act/Relu", "/model.2/m/m.0/cv1/conv/Relu", "/Relu", "/Relu_1"])
names("keras", ["StatefulPartitionedCall/sequential/lstm/PartitionedCall/Relu__7",
                "StatefulPartitionedCall/sequential/dense/Tensordot/Relu", "model/act/Relu"])
names("empty", ["", "", "Relu_17"])
names("own", ["first", "a b/..", "first", ".."])
names("weights", ["", "Add_1", ""], "Add", [f("fc.bias", [1]), f("onnx::Add_9", [1]), f("a.b.weight", [1])])
names("module", ["/gelu/Relu", "/gelu/Relu_1", "/gelu/Relu_2", "/other/Relu"])


def scopes(model):
    """NodeProto.metadata_props (field 9), which onnx 1.12 does not know."""
    def entry(key, value):
        def text(field, data):
            return bytes([field << 3 | 2, len(data)]) + data
        body = text(1, key.encode()) + text(2, value.encode())
        return bytes([9 << 3 | 2, len(body)]) + body
    for node, scope in zip(model.graph.node, ["['', 'encoder', 'encoder.act', 'relu']", "['', 'relu_1']"]):
        node.MergeFromString(entry("namespace", ": x"))
        node.MergeFromString(entry("pkg.torch.onnx.name_scopes", scope))


names("scopes", ["node_relu", "node_relu_1"], edit=scopes)
save("name_stack", [rnn("x W R", "Ya", "/encoder/RNN"), n("Squeeze", "Ya one", "sa"),
                    rnn("sa W2 R", "Yb", "/encoder/RNN_1"), n("Squeeze", "Yb one", "sb", "/s1"),
                    rnn("sb W2 R", "Yc", "/RNN"), n("Squeeze", "Yc one", "sc", "/s2"),
                    rnn("sc W2 R", "y", "/RNN_1")],
     W2 + [f("W2", np.eye(2)[None])], inputs=[port("x", ["T", "B", 4])])
save("name_old_torch", [rnn("x W R", "Ya", "RNN_4"), n("Squeeze", "Ya one", "sa"),
                        rnn("sa enc.weight_ih_l0 R", "Yb", "RNN_9"),
                        n("Squeeze", "Yb one", "sb", "/s1"),
                        n("Gemm", "sb2 fc.weight fc.bias", "y", "Gemm_3", transB=1)],
     W2 + [f("enc.weight_ih_l0", np.eye(2)[None]), f("fc.weight", np.eye(2)), f("fc.bias", [0, 0])],
     inputs=[port("x", ["T", "B", 4])],
     edit=lambda m: (m.graph.node.insert(4, n("Reshape", "sb rows", "sb2", "/r")),
                     m.graph.initializer.append(i("rows", [-1, 2]))))
