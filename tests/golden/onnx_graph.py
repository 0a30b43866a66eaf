"""onnx_graph.py - writes ONNX graphs node by node, minding how each opset spells an operator."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INT64_MAX = 9223372036854775807


class Graph:
    """Nodes in order; `op` gives the name of the node's first output, as tf2onnx does: `name:0`."""

    def __init__(self, opset, producer="golden"):
        self.opset, self.producer = opset, producer
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name, shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def const(self, name, value, dtype=np.float32):
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, name, value):
        return self.const(name, value, np.int64)

    def op(self, kind, inputs, name="", outputs=None, **attributes):
        outputs = [f"{name}:0"] if outputs is None else outputs
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, **attributes))
        return outputs[0]

    # axes and ranges were attributes once and are inputs now
    def squeeze(self, x, axes, name, kind="Squeeze", outputs=None):
        if self.opset < 13:
            return self.op(kind, [x], name, outputs, axes=axes)
        return self.op(kind, [x, self.ints(f"const_axes__{name}", axes)], name, outputs)

    def unsqueeze(self, x, axes, name):
        return self.squeeze(x, axes, name, "Unsqueeze")

    def slice(self, x, starts, ends, axes, name):
        if self.opset < 10:
            return self.op("Slice", [x], name, starts=starts, ends=ends, axes=axes)
        return self.op("Slice", [x, self.ints(f"const_starts__{name}", starts),
                                 self.ints(f"const_ends__{name}", ends),
                                 self.ints(f"const_axes__{name}", axes)], name)

    def bytes(self):
        if self.opset < 9:  # until IR version 4 every initializer was a graph input, too
            self.inputs += [helper.make_tensor_value_info(i.name, i.data_type, i.dims)
                            for i in self.initializers]
        graph = helper.make_graph(self.nodes, "tf2onnx" if self.producer == "tf2onnx" else "graph",
                                  self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, producer_name=self.producer,
                                  opset_imports=[helper.make_opsetid("", self.opset)])
        newer = 7 if self.opset < 15 else 8
        model.ir_version = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6}.get(self.opset, newer)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def pack(gates, order):
    """ONNX's [1, n * H, ...] from one array per gate."""
    return np.concatenate([np.asarray(gates[k], np.float32) for k in order])[None]
