"""models.py - stacks of recurrent layers with random weights, as ONNX files.

    write("LSTM-16-64-64.onnx", "LSTM", (16, 64, 64))      16 inputs, two layers of 64 units
    write(..., n_outputs=4)                                a dense layer behind them
"""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def write(path, kind, sizes, n_outputs=0):
    random = numpy.random.default_rng(1)
    weights, nodes, value = [], [], "x"

    def weight(name, *shape, directions=(1,)):
        scale = 1 / numpy.sqrt(shape[-1])
        array = random.uniform(-scale, scale, directions + shape).astype(numpy.float32)
        weights.append(numpy_helper.from_array(array, name))
        return name

    for ix, (n_inputs, n_units) in enumerate(zip(sizes, sizes[1:])):
        rows = GATES[kind] * n_units
        names = [weight("W%d" % ix, rows, n_inputs), weight("R%d" % ix, rows, n_units),
                 weight("B%d" % ix, 2 * rows)]
        extra = {"linear_before_reset": 1} if kind == "GRU" else {}
        nodes.append(helper.make_node(kind, [value] + names, ["y%d" % ix], hidden_size=n_units,
                                      name="/layer%d/%s" % (ix, kind), **extra))
        nodes.append(helper.make_node("Squeeze", ["y%d" % ix, "axis"], ["h%d" % ix]))
        value = "h%d" % ix
    weights.append(numpy_helper.from_array(numpy.array([1], numpy.int64), "axis"))
    if n_outputs:
        nodes.append(helper.make_node(
            "MatMul", [value, weight("Wd", sizes[-1], n_outputs, directions=())], ["z"],
            name="/fc/MatMul"))
        nodes.append(helper.make_node("Add", ["z", weight("bd", n_outputs, directions=())], ["y"],
                                      name="/fc/Add"))
        value = "y"
    graph = helper.make_graph(
        nodes, "stack",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["time", 1, sizes[0]])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["time", 1, n_outputs or sizes[-1]])],
        weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.save(model, path)
