#!/usr/bin/python3
"""52_extract.py - this proves that extract writes what the library computes, or nothing at all.

Every tensor bit for bit in all three formats; constant memory and few descriptors; nothing is left
behind by a bad cell, a full disk or a signal.
"""
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library


def rows(n):
    return [(math.sin(0.1 * i), math.cos(0.03 * i) * 2, (i % 10) / 8 - 0.5) for i in range(n)]


def write(directory, n=50, name="data.csv", head="time,a,b,c\n"):
    """A csv file of a time column and the three values."""
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(head)
        for i, row in enumerate(rows(n)):
            file.write("%d.25,%r,%r,%r\n" % ((i,) + row))
    return path


def expected(n=50):
    """{(layer, tensor): float32 [n, size]} from the library."""
    steps = list(library.Network(D.MODEL).run(rows(n)))
    return {name: numpy.array([numpy.frombuffer(step[name], "<f4") for step in steps])
            for name in steps[0]}


def tree(directory):
    return sorted(os.path.relpath(os.path.join(folder, name), directory)
                  for folder, _, names in os.walk(directory) for name in names)


def test_npy_when_written_then_equals_library_and_can_be_mapped():
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "a", "out")
        celltap.run("extract", D.MODEL, write(directory), "-o", out)
        want = expected()
        cases.same(tree(out), sorted("%s/%s.npy" % name for name in want), "files")
        for (layer, tensor), values in want.items():
            got = numpy.load(os.path.join(out, layer, tensor + ".npy"), mmap_mode="r")
            cases.same((got.dtype.str, got.shape, got.flags.c_contiguous),
                       ("<f4", values.shape, True))
            assert got.tobytes() == values.tobytes(), (layer, tensor)


def test_wrong_answer_when_made_on_purpose_then_noticed():
    with tempfile.TemporaryDirectory() as directory:
        path = write(directory)
        with open(path, encoding="ascii") as file:
            text = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write(text.replace("20.25,", "20.25,0", 1).replace("0.9", "0.8999999", 1))
        celltap.run("extract", D.MODEL, path, "-o", directory)
        got = numpy.load(os.path.join(directory, "lstms.1", "h.npy"))
        assert got.tobytes() != expected()["lstms.1", "h"].tobytes()


def test_csv_when_written_then_equals_library():
    with tempfile.TemporaryDirectory() as directory:
        celltap.run("extract", D.MODEL, write(directory), "-o", directory, "--format", "csv")
        for (layer, tensor), values in expected().items():
            with open(os.path.join(directory, layer, tensor + ".csv"), encoding="ascii") as file:
                lines = [line.rstrip("\n").split(",") for line in file]
            cases.same(lines[0], ["seq", "ts"] + ["u%d" % i for i in range(values.shape[1])])
            cases.same([line[:2] for line in lines[1:]],
                       [[str(i + 1), str(i * 10**9 + 250000000)] for i in range(50)])
            got = numpy.array([line[2:] for line in lines[1:]], dtype="<f4")
            assert got.tobytes() == values.tobytes(), (layer, tensor)


def test_jsonl_when_written_then_equals_library():
    with tempfile.TemporaryDirectory() as directory:
        celltap.run("extract", D.MODEL, write(directory), "-o", directory, "--format=jsonl")
        with open(os.path.join(directory, "activations.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        cases.same([line["seq"] for line in lines], list(range(1, 51)))
        for (layer, tensor), values in expected().items():
            got = numpy.array([line["layers"][layer][tensor] for line in lines], dtype="<f4")
            assert got.tobytes() == values.tobytes(), (layer, tensor)


def test_selection_when_given_then_that_alone():
    with tempfile.TemporaryDirectory() as directory:
        path = write(directory)
        for layers, tensors, want in [
                ("lstms.*", "h,c", ["lstms.0/c", "lstms.0/h", "lstms.1/c", "lstms.1/h"]),
                ("fc,@output", "output", ["@output/y", "fc/output"]),
                ("@input", "*", ["@input/x"])]:
            out = os.path.join(directory, "out-" + layers)
            celltap.run("extract", D.MODEL, path, "-o", out, "--layers", layers,
                        "--tensors", tensors)
            cases.same(tree(out), [name + ".npy" for name in want])
        done = celltap.run("extract", D.MODEL, path, "-o", directory, "--layers", "gru", check=1)
        assert "lstms.0" in done.err, done.err
        done = celltap.run("extract", D.MODEL, path, "-o", directory, "--tensors", "z", check=1)
        assert "i, f, g, o" in done.err, done.err


def test_missing_values_when_policy_is_given_then_followed():
    text = "1,,2\n,5,nan\n6,NA,inf\n"
    for policy, want in [("hold", [[1, 0, 2], [1, 5, 2], [6, 5, 2]]),
                         ("zero", [[1, 0, 2], [0, 5, 0], [6, 0, 0]])]:
        with tempfile.TemporaryDirectory() as directory:
            celltap.run("extract", D.MODEL, "-", "-o", directory, "--missing", policy, stdin=text)
            cases.same(numpy.load(os.path.join(directory, "@input", "x.npy")).tolist(), want)
    with tempfile.TemporaryDirectory() as directory:
        done = celltap.run("extract", D.MODEL, "-", "-o", os.path.join(directory, "o"),
                           "--missing=reject", stdin=text, check=1)
        assert "stdin:1: column 2: the value is missing" in done.err, done.err
        cases.same(os.listdir(directory), [])


def test_columns_when_too_many_then_one_line_that_names_both():
    with tempfile.TemporaryDirectory() as directory:
        done = celltap.run("extract", D.MODEL, write(directory), "-o", directory, "--time=none",
                           check=1)
        for part in ["4 columns", "time, a, b, c", "takes 3", "x[3]", "--columns"]:
            assert part in done.err, done.err
        cases.same(done.err.count("\n"), 1)
        wide = os.path.join(directory, "wide.csv")
        with open(wide, "w", encoding="ascii") as file:
            file.write(",".join("column%d" % i for i in range(999)) + "\n")
        done = celltap.run("extract", D.MODEL, wide, "-o", directory, "--columns=a", check=1)
        assert done.err.endswith(", ... (999)\n") and done.err.count("...") == 1, done.err


def failing(arguments, directory, part):
    done = celltap.run("extract", *arguments, check=1)
    assert part in done.err and done.err.count("\n") == 1, done.err
    cases.same(os.listdir(directory), ["old"], "left behind")


def test_failure_when_any_then_nothing_is_left_behind():
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as data:
        os.mkdir(os.path.join(directory, "old"))
        bad = os.path.join(data, "bad.csv")
        with open(bad, "w", encoding="ascii") as file:
            file.write("a,b,c\n" + "1,2,3\n" * 70000 + "1,zwei,3\n")
        failing([D.MODEL, bad, "-o", directory], directory,
                'bad.csv:70002:3: column 2 (b): "zwei" is not a number')
        failing([D.MODEL, bad, "-o", os.path.join(directory, "a/b/c")], directory, "nothing was")
        failing([D.MODEL, "/nonexistent.csv", "-o", directory], directory, "No such file")
        failing([D.MODEL, bad, "-o", bad + "/x"], directory, "Not a directory")


def test_signal_when_in_the_middle_then_nothing_is_left_behind():
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        with tempfile.TemporaryDirectory() as directory:
            process = celltap.start("extract", D.MODEL, "-", "-o", os.path.join(directory, "o"),
                                    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            try:  # it goes on until the signal comes
                process.stdin.write(b"1,2,3\n" * 200000)
                process.stdin.flush()
                D.wait_until(lambda d=directory: os.path.isdir(os.path.join(d, "o")), "a stage")
                process.send_signal(number)
                code = process.wait(celltap.TIMEOUT_S)
            finally:
                process.kill()
                process.stdin.close()
            cases.same((code, process.stderr.read(), os.listdir(directory)), (-number, b"", []))
            process.stderr.close()


def deep(path, n_layers):
    """A network of many small layers, a tensor name that is a path among them."""
    nodes, weights, before = [], [], "x"
    for i in range(n_layers):
        shapes = {"W%d": (1, 8, 1 if i == 0 else 2), "R%d": (1, 8, 2)}
        for name, shape in shapes.items():
            weights.append(numpy_helper.from_array(numpy.full(shape, 0.1, "f4"), name % i))
        weights.append(numpy_helper.from_array(numpy.array([1]), "axes%d" % i))
        nodes += [helper.make_node("LSTM", [before, "W%d" % i, "R%d" % i], ["y%d" % i],
                                   name="/lstms.%d/LSTM" % i, hidden_size=2),
                  helper.make_node("Squeeze", ["y%d" % i, "axes%d" % i], ["/s/../%d" % i],
                                   name="/lstms.%d/Squeeze" % i)]
        before = "/s/../%d" % i
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["t", 1, 1])],
        [helper.make_tensor_value_info(before, TensorProto.FLOAT, ["t", 1, 2])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def test_tensors_when_more_than_descriptors_then_all_written_below_the_directory():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "deep.onnx")
        deep(path, 40)
        celltap.run("extract", path, "-", "-o", os.path.join(directory, "o"), stdin="1\n2\n" * 500,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
        files = tree(directory)
        cases.same(len(files), 1 + 40 * 7 + 2)
        assert "o/@output/_s_.._39.npy" in files, [f for f in files if "@" in f]


def test_memory_when_a_hundred_times_the_rows_then_the_same():
    with tempfile.TemporaryDirectory() as directory:
        def peak(n):
            path = os.path.join(directory, "rows.csv")
            with open(path, "w", encoding="ascii") as file:
                for i in range(n // 100):
                    file.write("".join("%.3f,%d,%.2f\n" % (i * 0.001, j, j * 0.01)
                                       for j in range(100)))
            return celltap.peak_bytes("extract", D.MODEL, path, "-o", os.path.join(directory, "o"))
        few, many = peak(10000), peak(1000000)
        own = (8 << 20) * ("san" in os.path.basename(D.BUILD))  # a sanitizer's, of what was freed
        assert many - few < (1 << 20) + own, "%d bytes more" % (many - few)


cases.run(globals())
