#!/usr/bin/python3
"""run.py - runs the tests that are there, a line each, and counts them.

    run.py [--build DIR] [--only GLOB,...] [--without GLOB,...] [--wrap COMMAND]
           [--deadline SECONDS] SUITE...

    unit     BUILD/tests/unit/test_*     Check programs; every check counts
    daemon   tests/daemon/NN_*.py        the real daemon and command; every file counts
    golden   tests/golden/check_*.py     against answers made elsewhere; every file counts
    walls    tests/walls/wall_*.py       the rules of CONTRIBUTING.md; every file counts

A script passes with exit code 0, is skipped with 77 (its last line says why), fails otherwise; a
script whose last line is `N passed, N failed` counts as that many.  What a test prints is shown
only when it fails.  Scripts find the built programs through $CELLTAP_BUILD.  The last line here is
`N passed, N failed`; it is also added to BUILD/results, which .ci/run sums up.
"""
import argparse
import fnmatch
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEADLINE_S = 300  # of one file; a test that needs longer is broken or in the wrong suite
SKIPPED = 77  # exit code, as automake has it
PYTHON = "/usr/bin/python3"  # Debian's, the one that has Debian's modules


def find(suite, build):
    """The commands of a suite, in reading order."""
    if suite == "unit":  # by source, for a binary may be left over from a test that is gone
        sources = glob.glob(os.path.join(glob.escape(ROOT), "tests/unit/test_*.c"))
        names = sorted(os.path.basename(source)[:-2] for source in sources)
        return [[os.path.join(build, "tests/unit", name)] for name in names]
    pattern = {"daemon": "tests/daemon/[0-9][0-9]_*.py", "golden": "tests/golden/check_*.py",
               "walls": "tests/walls/wall_*.py"}[suite]
    return [[PYTHON, path] for path in sorted(glob.glob(os.path.join(glob.escape(ROOT), pattern)))]


def fits(name, globs):
    return any(fnmatch.fnmatch(name, one) for one in globs.split(","))


def run(command, environment, deadline_s):
    """Exit code (or None: out of time) and all output.  Nothing it started outlives it."""
    with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as its children
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, start_new_session=True)
        try:
            code = process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        output.seek(0)
        return code, output.read().decode(errors="replace")


def judge(code, output):
    """(passed, failed, skipped) of one finished file."""
    last = output.rstrip().rsplit("\n", 1)[-1]
    check = re.findall(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", output, re.M)
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed.*", last)
    if check:
        failed = sum(int(f) + int(e) for _, f, e in check)
        passed = sum(int(n) for n, _, _ in check) - failed
    elif counts:
        passed, failed = int(counts[1]), int(counts[2])
    elif code == SKIPPED:
        return 0, 0, 1
    else:
        passed, failed = (1, 0) if code == 0 else (0, 1)
    if code != 0 and failed == 0:  # it died after its own count
        failed = 1
    return passed, failed, 0


def show(suite, name, code, output, counts, seconds):
    passed, failed, skipped = counts
    last = output.rstrip().rsplit("\n", 1)[-1]
    if skipped:
        result = "skipped: " + last
    elif failed:
        result = "FAILED" if code is not None else "FAILED: out of time"
    else:
        result = "%d passed" % passed
    print("%-7s %-36s %-24s %6.1f s" % (suite, name, result, seconds), flush=True)
    if failed:
        print("".join("    | %s\n" % line for line in output.splitlines()), end="", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default="*", help="globs on file names, between commas")
    parser.add_argument("--without", default="", help="of these, globs of those that are not run")
    parser.add_argument("--wrap", default="", help="run Check programs under this, e.g. valgrind")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds for a file")
    parser.add_argument("suites", nargs="+", choices=["unit", "daemon", "golden", "walls"])
    options = parser.parse_args()

    build = os.path.join(ROOT, options.build)
    environment = dict(os.environ, CELLTAP_BUILD=build, PYTHONDONTWRITEBYTECODE="1")
    total = [0, 0, 0]
    for suite in options.suites:
        for command in find(suite, build):
            name = os.path.basename(command[-1])
            if not fits(name, options.only) or fits(name, options.without):
                continue
            if suite == "unit" and options.wrap:
                command = options.wrap.split() + command
            began = time.monotonic()
            code, output = run(command, environment, options.deadline)
            counts = judge(code, output)
            show(suite, name, code, output, counts, time.monotonic() - began)
            total = [a + b for a, b in zip(total, counts)]
    line = "%d passed, %d failed" % (total[0], total[1])
    try:
        with open(os.path.join(build, "results"), "a", encoding="utf-8") as results:
            results.write(line + "\n")
    except PermissionError:
        pass  # somebody else's build directory: nobody sums up there
    if total[2]:
        print("%d skipped" % total[2])
    print(line)
    return 1 if total[1] or not total[0] + total[2] else 0


if __name__ == "__main__":
    sys.exit(main())
