#!/usr/bin/python3
"""45_external_data.py - this proves that a model which keeps its weights in a file beside it, as
PyTorch writes them (model.onnx and model.onnx.data), is the model with its weights inside.

The same bits live, after kill -9 and by replay, also when the model's files are gone; a changed
data file is another model; a missing one is told by --check, by a reload and by `celltap inspect`.
"""
import os
import subprocess
import sys
import tempfile

import numpy
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library
import sp

MODEL2 = D.MODEL.replace("small.onnx", "small2.onnx")
FRAMES = [[0.1 * t, 1.0 - t, t % 3] for t in range(40)]
N_LAYERS = 5


def put_outside(model, path):
    """Writes the model at `path`, its weights beside it in `path`.data."""
    if os.path.exists(path + ".data"):
        os.unlink(path + ".data")
    onnx.save_model(onnx.load(model), path, save_as_external_data=True, all_tensors_to_one_file=True,
                    location=os.path.basename(path) + ".data", size_threshold=0)


class Rig:
    def __init__(self):
        self.daemon = D.Daemon(start=False)
        self.file = os.path.join(self.daemon.directory, "model.onnx")
        put_outside(D.MODEL, self.file)
        self.daemon.write(self.daemon.default(
            models=[{"name": "mine", "file": self.file, "streams": ["*"]}],
            journal={"sync": "off", "snapshot_every": 8}))
        self.daemon.start()

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *raised):
        self.daemon.__exit__(*raised)

    def feed(self, first, end):
        """Steps these frames; their records as library.Network gives them."""
        sub = self.daemon.subscribe(self.daemon.url("all"))
        with sp.Req(self.daemon.url("ack")) as req:
            reply = D.feed(req, [D.frame("x", frame) for frame in FRAMES[first:end]])
        cases.same(reply["accepted"], end - first, reply)
        steps = [{} for _ in range(first, end)]
        for _, r in D.records(sub, (end - first) * N_LAYERS):
            for tensor, data in r["tensors"].items():
                steps[r["seq"] - first - 1][r["layer"], tensor] = data
        sub.close()
        return steps


def replayed(first, last, journal):
    with tempfile.TemporaryDirectory() as out:
        celltap.run("replay", "x", "%d..%d" % (first, last), "--journal", journal, "-o", out)
        return {(layer, name[:-4]): numpy.load(os.path.join(out, layer, name)).tobytes()
                for layer in os.listdir(out) for name in os.listdir(os.path.join(out, layer))}


def test_external_when_killed_and_replayed_then_bits_are_those_of_the_model_with_data_inside():
    expected = list(library.Network(D.MODEL).run(FRAMES))
    with Rig() as rig:
        cases.same(rig.feed(0, 20), expected[:20], "live")
        rig.daemon.signal(9)
        rig.daemon.wait_end()
        rig.daemon.start()
        cases.same(rig.feed(20, 40), expected[20:], "after kill -9")
        rig.daemon.terminate()
        os.unlink(rig.file)
        os.unlink(rig.file + ".data")
        got = replayed(1, 40, os.path.join(rig.daemon.directory, "journal"))
        assert got, "replay gave nothing"
        for name, data in got.items():
            cases.same(data, b"".join(step[name] for step in expected), name)


def test_external_when_the_data_changes_then_a_reload_begins_afresh():
    with Rig() as rig:
        rig.feed(0, 3)
        reply = rig.daemon.control("reload")
        assert "1 go on, 0 start afresh" in reply["changes"][0], reply
        with open(rig.file, "rb") as file:
            before = file.read()
        put_outside(MODEL2, rig.file)
        with open(rig.file, "rb") as file:
            cases.same(file.read() == before, True, "only the data differs")
        reply = rig.daemon.control("reload")
        assert "0 go on, 1 start afresh" in reply["changes"][0], reply
        cases.same(rig.feed(3, 6), list(library.Network(MODEL2).run(FRAMES[3:6])))


def test_external_when_the_data_is_gone_then_a_reload_changes_nothing_and_says_why():
    with Rig() as rig:
        steps = rig.feed(0, 3)
        os.unlink(rig.file + ".data")
        reply = rig.daemon.control("reload")
        cases.same(reply.get("ok"), None, reply)
        assert "model.onnx.data', which must be beside the model: No such file" in str(reply), reply
        steps += rig.feed(3, 6)
        cases.same(steps, list(library.Network(D.MODEL).run(FRAMES[:6])), "the old model goes on")


def test_external_when_the_data_is_not_whole_then_check_and_inspect_say_so():
    with Rig() as rig:
        with open(rig.file + ".data", "r+b") as file:
            file.truncate(100)
        done = subprocess.run([os.path.join(D.BUILD, "celltapd"), "--check", "--config",
                               os.path.join(rig.daemon.directory, "celltapd.yaml")],
                              capture_output=True, text=True, timeout=D.TIMEOUT_S, check=False)
        cases.same(done.returncode, 78, done.stderr)
        assert "which has only 100: it is not whole, or of another model" in done.stderr, done.stderr
        cases.same(len(done.stderr.splitlines()), 1, done.stderr)
        text = celltap.run("inspect", rig.file, check=1).err
        assert "has only 100" in text and len(text.splitlines()) == 1, text


def test_external_when_extracted_then_all_tensors_are_those_of_the_model_with_data_inside():
    with tempfile.TemporaryDirectory() as directory:
        path, data = os.path.join(directory, "m.onnx"), os.path.join(directory, "d.csv")
        put_outside(D.MODEL, path)
        with open(data, "w") as file:
            file.writelines("%g,%g,%g\n" % tuple(frame) for frame in FRAMES)
        for model, out in ((path, "ext"), (D.MODEL, "in")):
            celltap.run("extract", model, data, "-o", os.path.join(directory, out))
        subprocess.run(["diff", "-r", "ext", "in"], cwd=directory, check=True)


if __name__ == "__main__":
    library.preload()
    cases.run(globals())
