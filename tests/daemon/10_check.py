#!/usr/bin/python3
"""10_check.py - proves that celltapd's command line and --check say what is wrong and what to do.

Usage, help and version; a sound configuration; every error of a faulty one at once; models that
cannot be read or cannot stream; the configuration as installed; exit codes 0, 2 and 78.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))
DAEMON = os.path.join(BUILD, "celltapd")
MODEL = os.path.join(ROOT, "config/demo/demo.onnx")


def celltapd(*arguments, stdin=None):
    """Exit code, standard output, standard error."""
    done = subprocess.run([DAEMON, *arguments], stdin=stdin or subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def output_name():
    """The demo's forecast."""
    return onnx.load(MODEL).graph.output[0].name


def bidirectional(path):
    """A model that looks ahead."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 1, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 2, 1, 3])
    weights = [numpy_helper.from_array(numpy.zeros(shape, numpy.float32), name)
               for name, shape in (("W", (2, 12, 2)), ("R", (2, 12, 3)))]
    node = helper.make_node("LSTM", ["x", "W", "R"], ["y"], name="/both/LSTM", hidden_size=3,
                            direction="bidirectional")
    graph = helper.make_graph([node], "g", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def test_usage_when_wrong_then_one_line_and_2(_):
    for arguments, part in (((), "--config FILE is missing"),
                            (("--check",), "--config FILE is missing"),
                            (("--config",), "a value must follow --config"),
                            (("--configuration", "x"), "unknown option --configuration"),
                            (("-x",), "unknown option -x"),
                            (("--config", "x", "more"), "nothing is expected here: more"),
                            (("--config", "x", "--log-level", "loud"),
                             "--log-level is err, warning, notice, info or debug, not loud")):
        code, out, err = celltapd(*arguments)
        assert code == 2 and out == "", (arguments, code, out)
        assert err.startswith("celltapd: ") and part in err, err
        assert err.count("\n") == 1 and "--help" in err, err


def test_help_then_fits_a_screen_with_an_example(_):
    code, out, err = celltapd("--help")
    assert code == 0 and err == "", err
    assert len(out.splitlines()) <= 24 and max(map(len, out.splitlines())) <= 80, out
    assert "Example" in out and "--check" in out, out
    assert celltapd("-h")[1] == out


def test_version_then_one_line(_):
    code, out, err = celltapd("--version")
    assert code == 0 and err == "" and re.fullmatch(r"celltapd \d+\.\d+\.\d+\n", out), out


def test_check_when_sound_then_one_line_and_0(folder):
    path = write(folder, "c.yaml", "models: [{name: ecg, file: m.onnx, channels: [mv]}]\n")
    shutil.copy(MODEL, os.path.join(folder, "m.onnx"))
    lock = "/run/celltap/celltapd.lock"
    before = os.path.exists(lock) and os.stat(lock).st_mtime_ns
    code, out, err = celltapd("--config", path, "--check")
    assert (code, err) == (0, ""), err
    assert out == path + ": ok, 1 model, 2 ingest, 3 taps\n", out
    with open(path, "rb") as file:  # from a pipe, relative files do not matter
        text = file.read().replace(b"m.onnx", MODEL.encode())
    done = subprocess.run([DAEMON, "--check", "-c", "/dev/stdin"], input=text, check=False,
                          stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done
    after = os.path.exists(lock) and os.stat(lock).st_mtime_ns
    assert after == before, "a check takes no lock"


def test_check_when_faulty_then_all_errors_and_78(folder):
    path = write(folder, "c.yaml", "models:\n"
                                   "  - {name: a, fle: m.onnx, missing: hodl}\n"
                                   "max_streams: 1e9\n"
                                   "taps:\n"
                                   "  - name: t\n"
                                   "    listen: [\"tcp://0.0.0.0:5550\"]\n"
                                   "web: {}\n")
    code, out, err = celltapd("--config", path, "--check")
    assert code == 78 and out == "", (code, out)
    told = [line[len(path):] for line in err.splitlines() if line.startswith(path)]
    assert len(told) == len(err.splitlines()) == 6, err
    for line, (place, part) in zip(told, ((":2:5:", "`file` is missing"),
                                          (":2:15:", "did you mean `file`?"),
                                          (":2:37:", "did you mean `hold`?"),
                                          (":3:14:", "`max_streams` is `1e9`"),
                                          (":6:14:", "insecure: true"),
                                          (":7:1:", "not in this release"))):
        assert line.startswith(place) and part in line, err
    code, out, again = celltapd("--config", path)  # a start says the same
    assert code == 78 and out == "", (code, out)
    assert [line.split("err: ", 1)[1] for line in again.splitlines()] == err.splitlines(), again


def test_check_of_models_that_cannot_be_used_then_each_told(folder):
    bidirectional(os.path.join(folder, "both.onnx"))
    write(folder, "text.onnx", "not a model\n")
    path = write(folder, "c.yaml", "models:\n"
                                   "- {name: both, file: both.onnx}\n"
                                   "- {name: text, file: text.onnx}\n"
                                   "- {name: many, file: '%s', channels: [a, b]}\n"
                                   "- {name: good, file: '%s'}\n"
                                   "runtime_dir: %s\nstate_dir: %s\n"
                 % (MODEL, MODEL, folder, folder))
    code, out, err = celltapd("--config", path, "--check")
    assert code == 78 and out == "", (code, out)
    lines = err.splitlines()
    assert len(lines) == 3, err
    for line, (place, name, part) in zip(lines, ((":2:1:", "both", "/both/LSTM"),
                                                 (":3:1:", "text", "not a valid ONNX model"),
                                                 (":4:1:", "many", "2 channels are named"))):
        assert line.startswith("%s%s model %s: " % (path, place, name)) and part in line, line
    assert "bidirectional" in lines[0], lines[0]
    code, out, again = celltapd("--config", path)  # a start says the same
    assert code == 78 and out == "", (code, out)
    assert [line.split("err: ", 1)[1] for line in again.splitlines()] == lines, again


def test_check_of_detectors_that_cannot_be_then_each_told(folder):
    """The models are there; what is asked of them is not."""
    write(folder, "ecg.statistics", "not what celltap score has saved\n")
    path = write(folder, "c.yaml", """models:
- {name: output, file: %(m)s, forecast: {output: nothing}}
- {name: size, file: %(m)s, forecast: {output: %(y)s, horizons: [1, 2, 3, 4, 5, 6, 7]}}
- {name: clock, file: %(m)s, detector: {clock: day}}
- {name: saved, file: %(m)s, detector: {statistics: ecg.statistics}}
- {name: named, file: "builtin:reservoir", channels: [a, b], detector: {statistics: ecg.statistics}}
- {name: no, file: %(m)s, forecast: {horizons: [1, 2, 3, 4, 5, 6, 7]}}
- {name: none, file: "builtin:reservoir", forecast: {horizons: [1]}}
- {name: good, file: %(m)s, detector: {}}
""" % {"m": MODEL, "y": output_name()})
    code, out, err = celltapd("--config", path, "--check")
    assert code == 78 and out == "", (code, out)
    lines = err.splitlines()
    expected = ((2, "output", "the model has no output nothing"),
                (3, "size", "not 1 channels x 7 horizons"),
                (4, "clock", "with a clock the model needs at least 3 inputs, not 1"),
                (5, "saved", "/ecg.statistics: it is not what celltap score --save has written"),
                (6, "named", "/ecg.statistics: it is not what celltap score --save has written"),
                (7, "no", "no output has 7 values (1 channels x 7 horizons)"),
                (8, "none", "forecast: builtin:reservoir makes none"))
    assert len(lines) == len(expected), err
    for line, (n, name, part) in zip(lines, expected):
        assert line.startswith("%s:%d:1: model %s: " % (path, n, name)) and part in line, line


def test_check_of_taps_that_name_what_is_not_there_then_told_and_0(folder):
    path = write(folder, "idle.yaml", """models: [{name: m, file: %s}]
taps:
  - {name: good, layers: ["lstm*", "@output"], tensors: [output, nonsense]}
  - {name: typo, layers: [lstn, "*"]}
  - {name: gone, tensors: [hh, cc]}
""" % MODEL)
    code, out, err = celltapd("--config", path, "--check")
    lines = err.splitlines()
    assert code == 0 and out.startswith(path + ": ok") and len(lines) == 2, (code, out, err)
    assert lines[0].startswith(path + ":4:") and "no layer of any model is `lstn`" in lines[0], err
    assert "there are @input, " in lines[0], err
    assert lines[1].startswith(path + ":5:") and "no tensor of any model is `hh`" in lines[1], err


def test_check_of_more_taps_than_there_can_be_then_how_many(folder):
    for n, expected in ((48, 0), (49, 78)):
        path = write(folder, "c.yaml", "runtime_dir: %s\nmodels: [{name: m, file: '%s'}]\ntaps: [%s]\n"
                     % (folder, MODEL, ", ".join("{name: t%d}" % i for i in range(n))))
        code, _, err = celltapd("--config", path, "--check")
        assert code == expected and (code == 0 or "at most 48" in err), (code, err)


def test_check_of_more_channels_than_the_builtin_takes_then_how_many(folder):
    for n, clock, expected in ((4096, "none", 0), (4097, "none", 78), (4095, "day", 78)):
        path = write(folder, "c.yaml", "models: [{name: m, file: 'builtin:reservoir', channels: [%s], "
                     "detector: {clock: %s}}]" % (", ".join(map(str, range(n))), clock))
        code, _, err = celltapd("--config", path, "--check")
        assert code == expected and code == 0 or "takes at most 4096" in err, (code, err)


def test_check_of_statistics_beside_the_model_then_they_must_fit(folder):
    """`statistics: auto`: the file that lies there is used, so it is looked at."""
    shutil.copy(MODEL, os.path.join(folder, "m.onnx"))
    write(folder, "m.onnx.statistics", "not what celltap score has saved\n")
    path = write(folder, "c.yaml", "models: [{name: m, file: m.onnx, detector: {}}]\n")
    code, _, err = celltapd("--config", path, "--check")
    assert code == 78 and "m.onnx.statistics: it is not what celltap score" in err, err
    write(folder, "m.onnx.statistics", "")
    code, _, err = celltapd("--config", path, "--check")
    assert code == 78 and "m.onnx.statistics: it is empty" in err, err
    path = write(folder, "c.yaml", "models: [{name: m, file: m.onnx}]\n")
    assert celltapd("--config", path, "--check")[0] == 0  # nobody watches
    path = write(folder, "c.yaml",
                 "models: [{name: m, file: m.onnx, detector: {statistics: none}}]\n")
    assert celltapd("--config", path, "--check")[0] == 0


def test_check_of_configuration_as_installed_then_sound(_):
    path = os.path.join(ROOT, "config/celltapd.yaml")
    code, out, err = celltapd("--config", path, "--check")
    assert code == 0 and err == "", (code, err)
    assert out == "%s: ok, 1 model, 2 ingest, 3 taps\n" % path, out


def test_check_of_a_model_with_a_remark_then_told_and_0(folder):
    model = os.path.join(ROOT, "tests/unit/data/remark_states.onnx")
    path = write(folder, "c.yaml", "models:\n  - {name: m, file: %s, streams: ['*']}\n" % model)
    code, out, err = celltapd("--config", path, "--check")
    assert code == 0 and ": ok, 1 model" in out, (code, out)
    assert err.startswith(path + ":2:1: model m: nothing is kept between timesteps"), err
    assert err.count("\n") == 1, err


def test_check_of_what_is_no_file_then_one_line_and_78(folder):
    for path, part in (("/nowhere/c.yaml", "No such file or directory"),
                       (folder, "Is a directory"), ("/dev/zero", "larger than 1 MiB"),
                       (MODEL, "not a text file")):
        code, _, err = celltapd("--config", path, "--check")
        assert code == 78 and err.count("\n") == 1, (path, code, err)
        assert err.startswith(path + ":") and part in err, err


def test_check_of_names_that_steer_a_terminal_then_escaped(folder):
    path = write(folder, "c\x1b[31m.yaml", "models: [{\"na\\e[2Jme\": x, file: \"/\\x9b31m\"}]\n")
    code, _, err = celltapd("--config", path, "--check")
    assert code == 78 and "\x1b" not in err and "\x9b" not in err, repr(err)


def main():
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(folder)
    print("%d passed, 0 failed" % len(tests))


if __name__ == "__main__":
    sys.exit(main())
