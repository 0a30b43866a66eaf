"""celltap.py - the command, run as a person would: arguments in; exit code, stdout, stderr out.

    done = celltap.run("inspect", path)      done.code, done.out, done.err
"""
import json
import os
import subprocess
import sys

import daemon

PROGRAM = os.path.join(daemon.BUILD, "celltap")
TIMEOUT_S = 60.0 * daemon.SLOW


class Done:
    """A command that has ended; `stdin` is its text, or a file."""

    def __init__(self, arguments, stdin=None, environment=None, check=None, **more):
        process = start(*arguments, env=daemon.environment(**(environment or {})),
                        stdin=subprocess.PIPE if isinstance(stdin, str) else stdin,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        try:
            out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else None,
                                           TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self.code, self.out, self.err = process.returncode, out.decode(), err.decode()
        if check is not None and self.code != check:
            raise AssertionError("celltap %s: exit code %d, expected %d: %s"
                                 % (" ".join(arguments), self.code, check, self.err))

    def json(self):
        return json.loads(self.out)


def run(*arguments, check=0, **more):
    """Runs it to its end; an exit code other than `check` (None: any) is an error."""
    return Done(arguments, check=check, **more)


def start(*arguments, **more):
    return subprocess.Popen([PROGRAM, *arguments], **dict({"env": daemon.environment()}, **more))


# ru_maxrss of a child is at least what its parent had resident: a small parent asks.
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_bytes(*arguments):
    """The most memory that it had resident."""
    done = subprocess.run([sys.executable, "-SE", "-c", PEAK, PROGRAM, *arguments],
                          stdout=subprocess.PIPE, env=daemon.environment(), check=True)
    return int(done.stdout) * 1024
