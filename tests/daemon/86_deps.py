#!/usr/bin/python3
"""86_deps.py - proves that .ci/deps installs what is missing, asks nothing, and else does nothing.

Real packages are not touched: the commands that it calls are replaced by scripts that write down
how they were called.
"""
import os
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = ("sh", "env", "mktemp", "rm", "cat", "tr")  # what it may find besides the replaced ones

DPKG = 'for a; do :; done; case " $INSTALLED " in *" $a "*) printf "ii " ;; *) exit 1 ;; esac'
CACHE = 'case " $KNOWN " in *" $2 "*) ;; *) exit 100 ;; esac'
APT = 'echo "apt-get $DEBIAN_FRONTEND $*" >> "$CALLS"; case "$*" in *"$BREAK"*) exit 100 ;; esac'
SUDO = 'echo "sudo $1" >> "$CALLS"; shift; exec "$@"'


def deps(packages, installed="", known="a b c", user=0, sudo=True, broken="nothing"):
    """Exit code, output, and the calls it made."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = {"dpkg-query": DPKG, "apt-cache": CACHE, "apt-get": APT, "id": "echo %d" % user}
        if sudo:
            scripts["sudo"] = SUDO
        for name, text in scripts.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + text + "\n")
            os.chmod(path, stat.S_IRWXU)
        for name in BASE:
            os.symlink("/bin/" + name, os.path.join(folder, name))
        calls = os.path.join(folder, "calls")
        done = subprocess.run(
            ["/bin/sh", os.path.join(ROOT, ".ci/deps"), *packages], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
            env={"PATH": folder, "INSTALLED": installed, "KNOWN": known, "CALLS": calls,
                 "BREAK": broken})
        made = ""
        if os.path.exists(calls):
            with open(calls, encoding="utf-8") as file:
                made = file.read()
        return done.returncode, done.stdout.decode(), made


def test_all_there_calls_nothing():
    for user in (0, 1000):
        code, output, calls = deps(["a", "b"], installed="a b", user=user, sudo=False)
        assert (code, output, calls) == (0, "", ""), (code, output, calls)


def test_missing_as_root_installs_just_these_without_a_question():
    code, _, calls = deps(["a", "b", "c"], installed="b")
    assert code == 0 and "sudo" not in calls and "update" not in calls, calls
    assert calls.count("\n") == 1 and calls.startswith("apt-get noninteractive "), calls
    assert calls.rstrip().endswith("install -y --no-install-recommends a c"), calls


def test_missing_as_user_goes_through_sudo_that_may_not_ask():
    code, _, calls = deps(["a"], user=1000)
    assert code == 0 and calls.startswith("sudo -n\n"), calls


def test_unknown_package_fetches_the_lists_first():
    code, _, calls = deps(["d"])
    first, second = calls.splitlines()
    assert code == 0 and first.endswith("update") and second.endswith(" d"), calls


def test_names_of_two_releases_any_is_enough_and_else_the_first_known():
    for installed in ("a new", "a old"):
        code, output, calls = deps(["a", "new|old"], installed=installed)
        assert (code, output, calls) == (0, "", ""), (code, output, calls)
    for known, expected in (("a old", "a old"), ("a new", "a new"), ("a old new", "a new")):
        code, _, calls = deps(["a", "new|old"], known=known)
        assert code == 0 and calls.count("\n") == 1, calls
        assert calls.endswith("--no-install-recommends %s\n" % expected), calls


def test_names_of_two_releases_none_known_fetches_the_lists_first():
    code, output, calls = deps(["a", "new|old"], broken="old")
    assert code == 1 and "install' failed" in output and output.endswith(" a new|old\n"), output
    assert [line.split()[-1] for line in calls.splitlines()] == ["update", "old", "update", "old"]


def test_neither_root_nor_sudo_says_what_is_needed():
    code, output, calls = deps(["a", "c"], user=1000, sudo=False)
    assert code == 1 and not calls, calls
    assert output.count("\n") == 1 and "root" in output and output.endswith("a c\n"), output


def test_failing_install_fetches_the_lists_once_and_says_so():
    code, output, calls = deps(["a"], broken="install")
    assert code == 1 and "install' failed" in output, output
    assert [line.split()[-1] for line in calls.splitlines()] == ["a", "update", "a"], calls


def main():
    tests = [test for name, test in sorted(globals().items()) if name.startswith("test_")]
    for test in tests:
        test()
    print("%d passed, 0 failed" % len(tests))


if __name__ == "__main__":
    sys.exit(main())
