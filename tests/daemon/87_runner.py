#!/usr/bin/python3
"""87_runner.py - proves that tests/run.py counts what fails, dies, hangs back or is skipped.

It is copied into a tree of its own with made-up tests of every ending.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Name: the script, and what it must count as: (passed, failed, skipped).
ENDINGS = {
    "00_passes": ("print('fine')", (1, 0, 0)),
    "01_fails": ("raise SystemExit('broken')", (0, 1, 0)),
    "02_counts": ("print('7 passed, 0 failed')", (7, 0, 0)),
    "03_counts_failures": ("print('5 passed, 2 failed'); raise SystemExit(1)", (5, 2, 0)),
    "04_dies_after_its_count": ("print('3 passed, 0 failed', flush=True); import os; os.abort()",
                                (3, 1, 0)),
    "05_skipped": ("print('no such data here'); raise SystemExit(77)", (0, 0, 1)),
    "06_crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", (0, 1, 0)),
    "07_leaves_somebody_behind": ("import subprocess; subprocess.Popen(['sleep', '1000'])",
                                  (1, 0, 0)),
}


def run(folder, *arguments):
    return subprocess.run(["/usr/bin/python3", os.path.join(folder, "tests/run.py"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=60, env=dict(os.environ, SLEEPERS="x"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "tests/daemon"))
        os.makedirs(os.path.join(folder, "build"))
        shutil.copy(os.path.join(ROOT, "tests/run.py"), os.path.join(folder, "tests/run.py"))
        for name, (text, _) in ENDINGS.items():
            with open(os.path.join(folder, "tests/daemon", name + ".py"), "w",
                      encoding="utf-8") as file:
                file.write(text + "\n")
        for name, (_, (passed, failed, skipped)) in ENDINGS.items():
            done = run(folder, "--only", name + "*", "daemon")
            lines = done.stdout.decode().splitlines()
            assert lines[-1] == "%d passed, %d failed" % (passed, failed), lines
            assert (done.returncode == 1) == (failed > 0), (name, done.returncode)
            assert ("1 skipped" in lines) == (skipped > 0), lines
        done = run(folder, "daemon")
        total = [sum(counts[i] for _, counts in ENDINGS.values()) for i in range(3)]
        lines = done.stdout.decode().splitlines()
        assert lines[-2:] == ["%d skipped" % total[2], "%d passed, %d failed" % tuple(total[:2])]
        assert done.returncode == 1
        assert any("| broken" in line for line in lines), "the output of a failure is shown"
        assert run(folder, "--only", "nothing", "daemon").returncode == 1, "no test at all"
        lines = run(folder, "--only", "00_*,02_*,03_*", "--without", "03_*,99_*",
                    "daemon").stdout.decode().splitlines()
        assert lines[-1] == "8 passed, 0 failed", lines
        with open(os.path.join(folder, "tests/daemon/08_hangs.py"), "w", encoding="utf-8") as file:
            file.write("import time; time.sleep(1000)\n")
        lines = run(folder, "--deadline", "0.2", "--only", "08*", "daemon").stdout.decode()
        assert "FAILED: out of time" in lines and "0 passed, 1 failed" in lines, lines
    print("%d passed, 0 failed" % (len(ENDINGS) + 3))


if __name__ == "__main__":
    sys.exit(main())
