#!/usr/bin/python3
"""12_unit.py - proves that systemd takes the unit and the user as they are installed."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build")))


def run(*command):
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def verify(folder, break_it):
    """What systemd says of the unit with its paths filled in."""
    with open(os.path.join(ROOT, "systemd/celltapd.service"), encoding="utf-8") as file:
        text = file.read().replace("@BINDIR@", BUILD).replace("@SYSCONFDIR@", "/etc")
    path = os.path.join(folder, "celltapd.service")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("WatchdogSec=30s", "WatchdogSec=soon") if break_it else text)
    code, output = run("systemd-analyze", "verify", "--man=no", path)
    return code, [line for line in output.splitlines() if "celltapd.service" in line]


def main():
    if not shutil.which("systemd-analyze") or not shutil.which("systemd-sysusers"):
        print("systemd is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        code, lines = verify(folder, False)
        assert code == 0 and not lines, lines
        _, lines = verify(folder, True)
        assert lines, "a broken unit was not noticed"
    code, output = run("systemd-sysusers", "--dry-run",
                       os.path.join(ROOT, "systemd/celltapd.sysusers"))
    assert code == 0 and "celltap" in output, output
    print("2 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
