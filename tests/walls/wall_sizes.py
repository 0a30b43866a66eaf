#!/usr/bin/python3
"""wall_sizes.py - no file above 800 lines, no function above 80.

The aim is 400 and 40; what lies between is listed for information, on standard error.
"""
import re
import sys

import wall

LINES = (400, 800)  # of a file: aim, wall
FUNCTION_LINES = (40, 80)
TAG = re.compile(r"^(\S+)\t([^\t]+)\t.*\tline:(\d+)\t.*end:(\d+)", re.M)


def functions(tree, paths):
    """(path, name, line, number of lines) of every function."""
    if not paths:
        return []
    tags = wall.output("ctags", "-f", "-", "--fields=+ne", "--kinds-C=f", "--kinds-Python=fm",
                       "--languages=C,Python", "--langmap=C:.c.h", *paths, cwd=tree.root)
    return [(path, name, int(begin), int(end) - int(begin) + 1)
            for name, path, begin, end in TAG.findall(tags)]


def faults(tree):
    paths = tree.find(".c", ".h", ".py", ".sh")
    found, info = [], []
    for path in paths:
        n = len(tree.lines(path))
        if n > LINES[0]:
            (found if n > LINES[1] else info).append("%s: %d lines" % (path, n))
    for path, name, begin, n in functions(tree, paths):
        if n > FUNCTION_LINES[0]:
            line = "%s:%d: %s has %d lines" % (path, begin, name, n)
            (found if n > FUNCTION_LINES[1] else info).append(line)
    if tree.root == wall.ROOT and info:
        print("info: above the aim of %d and %d:" % (LINES[0], FUNCTION_LINES[0]), *info,
              sep="\n  ", file=sys.stderr)
    return found


LONG = "int f(int a);\nint f(int a)\n{\n" + "    a++;\n" * 80 + "    return a;\n}\n"
BROKEN = [
    ({"lib/base/a.c": "int a;\n" * 801}, "801 lines"),
    ({"lib/base/a.c": LONG}, "f has 84 lines"),
    ({"tests/a.py": "def f(a):\n" + "    a += 1\n" * 81}, "f has 82 lines"),
]
CLEAN = [{"lib/base/a.c": LONG.replace("    a++;\n", "", 10), "lib/base/b.c": "int a;\n" * 800}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
