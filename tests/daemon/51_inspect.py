#!/usr/bin/python3
"""51_inspect.py - this proves that inspect shows a model as it is, and why another is refused."""
import os
import sys
import tempfile

import onnx
from onnx import TensorProto, helper

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library


def test_model_when_good_then_json_is_the_library_s():
    shown = celltap.run("inspect", D.MODEL, "--json").json()
    network = library.Network(D.MODEL)
    tensors = {(layer["name"], name): size for layer in shown["layers"]
               for name, size in layer["tensors"].items()}
    cases.same(tensors, {name: size for name, _, _, size in network.tensors}, "tensors")
    cases.same(shown["values"], D.N_VALUES)
    layers = {layer["name"]: layer for layer in shown["layers"]}
    cases.same(layers["lstms.0"]["kind"], "LSTM")
    cases.same(layers["lstms.0"]["inputs"], 3)
    cases.same(layers["fc"]["parameters"], 4 * 2 + 2)
    cases.same(sum(layer["parameters"] for layer in shown["layers"]), shown["parameters"])
    assert 0 < shown["step_ns"] < 1e7, shown["step_ns"]
    assert shown["state_bytes"] >= 4 * 2 * (5 + 4), shown["state_bytes"]


def test_model_when_good_then_table_names_layers_kernel_and_cost():
    text = celltap.run("inspect", D.MODEL, environment={"CELLTAP_KERNEL": "plain"}).out
    for part in ["lstms.0", "output h c i f g o: 5", "fc", "Dense", "kernel plain", "us a timestep"]:
        assert part in text, "%r is not in:\n%s" % (part, text)
    table, _, totals = text.partition("\n\n")
    assert max(map(len, table.splitlines() + totals.splitlines()[1:])) <= 80, text


def test_kernel_when_it_cannot_run_then_said_and_another_taken():
    for name, said in [("bogus", True), ("plain", False), ("", False)]:
        done = celltap.run("inspect", D.MODEL, "--json", environment={"CELLTAP_KERNEL": name})
        kernel = done.json()["kernel"]
        cases.same(done.err, "celltap: CELLTAP_KERNEL=%s cannot run here; the kernel is %s\n" % (
            name, kernel) if said else "")


def test_model_when_it_looks_ahead_then_node_and_reason():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "ahead.onnx")
        graph = helper.make_graph(
            [helper.make_node("LSTM", ["x", "W", "R"], ["y"], name="/ahead/LSTM", hidden_size=2,
                              direction="reverse")], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["t", 1, 1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["t", 1, 1, 2])],
            [helper.make_tensor("W", TensorProto.FLOAT, [1, 8, 1], [0.1] * 8),
             helper.make_tensor("R", TensorProto.FLOAT, [1, 8, 2], [0.1] * 16)])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)]), path)
        done = celltap.run("inspect", path, "--json", check=1)
        refused = done.json()["refused"]
        cases.same(refused["node"], "/ahead/LSTM")
        assert refused["reason"], refused
        assert "node /ahead/LSTM" in done.err and done.err.count("\n") == 1, done.err
        cases.same(celltap.run("inspect", path, check=1).out, "")


def test_file_when_no_model_then_said():
    for path, part in [("/nonexistent.onnx", "No such file"), (__file__, "ONNX"), ("/", "")]:
        done = celltap.run("inspect", path, check=1)
        assert part in done.err and done.err.count("\n") == 1, done.err


def test_model_when_perhaps_not_what_was_meant_then_noted():
    path = os.path.join(os.path.dirname(D.MODEL), "../unit/data/remark_states.onnx")
    done = celltap.run("inspect", path)
    assert "\nnote: nothing is kept between timesteps" in done.out, done.out
    remarks = celltap.run("inspect", path, "--json").json()["remarks"]
    assert len(remarks) == 1 and "celltap.states = 's=y'" in remarks[0], remarks
    cases.same(celltap.run("inspect", D.MODEL, "--json").json()["remarks"], [])


cases.run(globals())
