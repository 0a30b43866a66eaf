#!/usr/bin/python3
"""73_readme.py - proves that the README's examples work as they are printed there.

The blocks of "A model of your own" and of "When sensors behave abnormally" are run as they stand,
but for the directory of the sockets, which is one of this test's own.  The first needs python3-torch
and python3-onnx, as the README says.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))
DEADLINE_S = 120

# Fails where PyTorch's default exporter is the one that the README says needs onnxscript.
NEEDS_DYNAMO_FALSE = """
import importlib.util, torch
version = tuple(int(part) for part in torch.__version__.split(".")[:2])
raise SystemExit(version >= (2, 9) and importlib.util.find_spec("onnxscript") is None)
"""


def blocks(title):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        chapter = file.read().split("\n## %s\n" % title, 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```$", chapter, re.M | re.S)


def links():
    """Files that the README refers to and that are not there."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        targets = re.findall(r"\]\(([^):]+)\)", file.read())
    return [target for target in targets if not os.path.exists(os.path.join(ROOT, target))]


def play(script, directory):
    """What comes out of it; the jobs are the daemon and somebody who ends by itself."""
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"))
        os.mkdir(os.path.join(folder, "build"))
        for name in ("celltapd", "celltap"):
            os.symlink(os.path.join(BUILD, name), os.path.join(folder, "build", name))
        script = script.replace(directory, os.path.join(folder, "run"))
        script += "wait %2\nkill %1\nwait %1\necho daemon ended with $?\n"
        done = subprocess.run(["bash", "-mc", script], cwd=folder, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE_S)
    return done.stdout.decode()


def check(output, *parts):
    for wanted in parts + ("daemon ended with 0",):
        assert re.search(wanted, output), output


def main():
    assert not links(), links()
    check(play(*blocks("When sensors behave abnormally"), "/tmp/any"),
          r"  any/1  anomaly begins: seq 1500, score ", r"\n    0 +8\.\d+, expected -?0\.",
          r"\n    celltap replay any/1 1400\.\.1600 --control ipc:\S+ -o anomaly-1500\n")
    if subprocess.run(["/usr/bin/python3", "-c", "import torch, onnx"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        print("python3-torch and python3-onnx are not installed")
        return 77
    model = "".join(blocks("A model of your own"))
    if subprocess.run(["/usr/bin/python3", "-c", NEEDS_DYNAMO_FALSE], check=False).returncode:
        model = model.replace('"pump.onnx")', '"pump.onnx", dynamo=False)')
    # Which timestep is the first one seen depends on who was ready first.
    check(play(model, "/tmp/pump"),
          r"pump/1 seq \d+ lstm h\[16\] min", r"pump/1 seq \d+ lstm c\[16\] min",
          r"pump/1 seq \d+ fc output\[2\] min")
    print("3 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
