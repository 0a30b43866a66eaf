#!/usr/bin/python3
"""wall_headers.py - every header compiles alone, twice, and defines no variable and no function.

Alone: whoever includes it needs nothing before it.  A header that is a piece of its includers
cannot; PIECES names those, with the reason.
"""
import os
import re
import tempfile

import wall

PIECES = {
    # The one body of all kernels is compiled once behind each vocabulary of vector operations.
    "lib/kernel/kernel_%s.h" % part
    for part in ("body", "functions", "gru", "lstm", "reduce", "rnn", "rows", "sums", "whiten")
}
INTRINSICS = re.compile(r"<(immintrin|arm_neon)\.h>")  # needs the flags of its one includer
DATA = re.compile(r"^\S* *([BbDdGgRrSsCT]) (\S+)$", re.M)


def faults(tree):
    found = []
    for path in tree.find(".h", under=("lib/", "daemon/", "cli/", "tests/")):
        if path in PIECES or INTRINSICS.search(tree.text(path)):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            source, target = os.path.join(scratch, "a.c"), os.path.join(scratch, "a.o")
            with open(source, "w", encoding="utf-8") as file:
                file.write('#include "%s"\n#include "%s"\nint alone;\n' % (path, path))
            said = wall.output("cc", "-std=gnu11", "-D_GNU_SOURCE", "-I.", "-Ibuild/gen",
                               "-I" + os.path.join(tree.build, "gen"), "-fkeep-static-consts",
                               "-Wno-unused", "-c", source, "-o", target, cwd=tree.root)
            if not os.path.exists(target):
                found.append("%s: does not compile alone: %s" % (path, said.split("\n")[0]))
                continue
            for kind, name in DATA.findall(wall.output("nm", target)):
                if name != "alone":
                    found.append("%s: defines %s (%s)" % (path, name, kind))
    return found


BROKEN = [
    ({"lib/base/a.h": "size_t a(void);\n"}, "does not compile alone"),
    ({"lib/base/a.h": "int a_count;\n"}, "defines a_count"),
    ({"lib/base/a.h": "static const int a_table[2] = {1, 2};\n"}, "does not compile alone"),
    ({"lib/base/a.h": "#pragma once\nstatic const int a_table[2] = {1, 2};\n"}, "defines a_table"),
    ({"lib/base/a.h": "#pragma once\nint a(void)\n{\n    return 1;\n}\n"}, "defines a"),
]
CLEAN = [{"lib/base/a.h": "#ifndef A_H\n#define A_H\n#include <stddef.h>\nsize_t a(void);\n"
                          "static inline int b(void)\n{\n    return 1;\n}\n#endif\n"}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
