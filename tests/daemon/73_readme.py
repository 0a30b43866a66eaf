#!/usr/bin/python3
"""73_readme.py - proves that the README's first own model works as it is printed there.

The two blocks of "A model of your own" are run as they stand, but for the directory of the sockets,
which is one of this test's own.  Needs python3-torch and python3-onnx, as the README says.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))
DEADLINE_S = 120


def blocks():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        chapter = file.read().split("\n## A model of your own\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```$", chapter, re.M | re.S)


def links():
    """Files that the README refers to and that are not there."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        targets = re.findall(r"\]\(([^):]+)\)", file.read())
    return [target for target in targets if not os.path.exists(os.path.join(ROOT, target))]


def main():
    assert not links(), links()
    if subprocess.run(["/usr/bin/python3", "-c", "import torch, onnx"], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        print("python3-torch and python3-onnx are not installed")
        return 77
    first, second = blocks()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"))
        os.mkdir(os.path.join(folder, "build"))
        for name in ("celltapd", "celltap"):
            os.symlink(os.path.join(BUILD, name), os.path.join(folder, "build", name))
        script = (first + second).replace("/tmp/pump", os.path.join(folder, "pump"))
        script += "wait %2\nkill %1\nwait %1\necho daemon ended with $?\n"
        done = subprocess.run(["bash", "-mc", script], cwd=folder, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE_S)
    output = done.stdout.decode()
    # Which timestep is the first one seen depends on who was ready first.
    for wanted in (r"pump/1 seq \d+ lstm h\[16\] min", r"pump/1 seq \d+ lstm c\[16\] min",
                   r"pump/1 seq \d+ fc output\[2\] min", "daemon ended with 0"):
        assert re.search(wanted, output), output
    print("2 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
