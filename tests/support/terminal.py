"""terminal.py - a small terminal: lines and columns, the cursor, the two screens."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

import cases
import celltap
import daemon as D

PART = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|([^\x1b])", re.S)


class Screen:
    """What a terminal makes of the bytes; the characters of a cell, or `#` for a coloured one."""

    def __init__(self, columns, lines):
        self.resize(columns, lines)
        self.alternate = self.hidden = self.colour = False
        self.rest, self.beyond = "", 0

    def resize(self, columns, lines):
        self.columns, self.lines, self.x, self.y = columns, lines, 0, 0
        self.cells = [[" "] * columns for _ in range(lines)]

    def take(self, data):
        self.rest += data
        at = 0
        for match in PART.finditer(self.rest):
            if match.start() != at:
                break
            at = match.end()
            if match[4] is not None:
                self.text(match[4])
            else:
                self.control(match[1] + match[3], match[2])
        self.rest = self.rest[at:]

    def text(self, char):
        if char == "\r":
            self.x = 0
        elif char == "\n":
            self.beyond += self.y + 1 >= self.lines
            self.y = min(self.y + 1, self.lines - 1)
        else:
            self.beyond += self.x >= self.columns
            if self.x < self.columns:
                self.cells[self.y][self.x] = "#" if self.colour and char == " " else char
            self.x += 1

    def control(self, kind, values):
        if kind == "H":
            line, self.x = max(int(values or 1), 1) - 1, 0
            self.beyond += line >= self.lines
            self.y = min(line, self.lines - 1)
        elif kind == "m":
            self.colour = values not in ("", "0", "1")
        elif kind in "KJ" and kind:
            self.cells[self.y][self.x:] = [" "] * (self.columns - min(self.x, self.columns))
            if kind == "J":
                rows = range(0 if values == "2" else self.y + 1, self.lines)
                for y in rows:
                    self.cells[y] = [" "] * self.columns
        elif kind in ("?h", "?l"):
            if values == "1049":
                self.alternate = kind == "?h"
            elif values == "25":
                self.hidden = kind == "?l"

    def shown(self):
        return ["".join(line).rstrip() for line in self.cells]


class Terminal:
    """A command, `watch` unless it is another, on a terminal of its own."""

    def __init__(self, daemon, *arguments, command="watch", columns=80, lines=24,
                 **environment):
        self.screen = Screen(columns, lines)
        self.master, self.slave = pty.openpty()
        self.size(columns, lines)
        self.modes = termios.tcgetattr(self.slave)
        environment = dict({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, **environment)
        kept = {name: value for name, value in os.environ.items()
                if name not in ("NO_COLOR", "COLORTERM")}
        self.process = subprocess.Popen(
            [celltap.PROGRAM, command, "--control", daemon.url("control"), *arguments],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env=dict(kept, **environment),
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))

    def size(self, columns, lines):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def look(self, timeout_s=0.02):
        while select.select([self.master], [], [], timeout_s)[0]:
            self.screen.take(os.read(self.master, 65536).decode(errors="replace"))
            timeout_s = 0
        return self.screen

    def wait(self, condition, what):
        def look():
            return condition(self.look())
        try:
            D.wait_until(look, what)
        except TimeoutError:
            raise AssertionError(what + ":\n" + "\n".join(self.screen.shown())) from None

    def wait_for(self, text):
        self.wait(lambda screen: any(text in line for line in screen.shown()), text)

    def key(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        D.wait_until(lambda: self.look() and self.process.poll() is not None, "the end")
        self.look()
        return self.process.returncode

    def is_restored(self):
        self.look()
        cases.same((self.screen.alternate, self.screen.hidden), (False, False), "screen")
        cases.same(termios.tcgetattr(self.slave), self.modes, "modes")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def needed():
    """Ends a test file as skipped where there are no terminals."""
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as no_terminal:
        print("no terminals here, /dev/pts is not mounted: %s" % no_terminal)
        sys.exit(77)
