"""celltap.py - the command, run as a person would: arguments in; exit code, stdout, stderr out.

    done = celltap.run("inspect", path)      done.code, done.out, done.err
"""
import json
import os
import subprocess

from daemon import BUILD, SLOW

PROGRAM = os.path.join(BUILD, "celltap")
TIMEOUT_S = 60.0 * SLOW


class Done:
    """A command that has ended; `stdin` is its text, or a file."""

    def __init__(self, arguments, stdin=None, environment=None, check=None, **more):
        environment = dict(os.environ, **(environment or {}))
        process = subprocess.Popen([PROGRAM, *arguments], env=environment,
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
    return subprocess.Popen([PROGRAM, *arguments], **more)


def peak_bytes(*arguments):
    """The most memory that it had resident."""
    process = start(*arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_maxrss * 1024
