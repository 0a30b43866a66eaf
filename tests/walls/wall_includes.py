#!/usr/bin/python3
"""wall_includes.py - includes are written from the root and go downhill only.

    base <- kernel <- cell <- model <- stream <- detect      wire, journal <- base
    daemon/ and cli/ are the library's first customers: of lib/ they see the public headers
"""
import os
import re

import wall

# Room: the rooms of the library whose headers its files may include.
DOWNHILL = {
    "base": {"base"},
    "kernel": {"kernel", "base"},
    "cell": {"cell", "kernel", "base"},
    "model": {"model", "cell", "kernel", "base"},
    "stream": {"stream", "model", "cell", "kernel", "base"},
    "detect": {"detect", "stream", "model", "cell", "kernel", "base"},
    "wire": {"wire", "base"},
    "journal": {"journal", "base"},
}
PUBLIC = ("lib/celltap.h", "lib/celltap_wire.h", "lib/celltap_journal.h")
GENERATED = re.compile(r"lib/model/[a-z_]+\.pb-c\.h")
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def fault(tree, path, included):
    """Why a file may not include that, or None."""
    top, room = (path.split("/") + [""])[:2]
    if included.startswith("..") or "/../" in included:
        return "leaves its folder with ..; write it from the root"
    if path in PUBLIC:
        # Installed side by side: the only ones that find each other without the root.
        return None if "lib/" + included in PUBLIC else "a public header includes a private one"
    if GENERATED.fullmatch(included):
        return None if path.startswith(("lib/model/", "tests/")) else "generated for lib/model"
    if not os.path.exists(os.path.join(tree.root, included)):
        return "is not a path from the root"
    if included in PUBLIC:
        return None
    if included.startswith("lib/") and top in ("daemon", "cli", "examples"):
        return "%s/ uses only the public headers" % top
    if top == "lib":
        target = included.split("/")
        if target[0] != "lib":
            return "the library does not know %s/" % target[0]
        if target[1] not in DOWNHILL.get(room, set()):
            return "uphill: lib/%s does not know lib/%s" % (room, target[1])
    elif top in ("daemon", "cli") and included.split("/")[0] not in (top,):
        return "%s/ does not know %s/" % (top, included.split("/")[0])
    return None


def faults(tree):
    found = []
    for path in tree.find(".c", ".h"):
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            why = fault(tree, path, match[1]) if match else None
            if why:
                found.append('%s:%d: "%s": %s' % (path, number, match[1], why))
    return found


CELL = {"lib/cell/cell.h": ""}
BROKEN = [
    (dict(CELL, **{"lib/cell/a.c": '#include "../cell/cell.h"\n'}), "leaves its folder"),
    (dict(CELL, **{"lib/cell/a.c": '#include "cell.h"\n'}), "not a path from the root"),
    (dict(CELL, **{"lib/kernel/a.c": '#include "lib/cell/cell.h"\n'}), "uphill"),
    (dict(CELL, **{"lib/wire/a.c": '#include "lib/cell/cell.h"\n'}), "uphill"),
    (dict(CELL, **{"daemon/a.c": '#include "lib/cell/cell.h"\n'}), "only the public"),
    (dict(CELL, **{"cli/a.c": '#  include "lib/cell/cell.h"\n'}), "only the public"),
    ({"daemon/log.h": "", "lib/base/a.c": '#include "daemon/log.h"\n'}, "does not know daemon/"),
    ({"daemon/log.h": "", "cli/a.c": '#include "daemon/log.h"\n'}, "does not know daemon/"),
    (dict(CELL, **{"lib/celltap.h": '#include "lib/cell/cell.h"\n'}), "a public header"),
]
CLEAN = [
    dict(CELL, **{"lib/model/a.c": '#include <stdio.h>\n#include "lib/cell/cell.h"\n',
                  "lib/celltap.h": "", "lib/celltap_wire.h": '#include "celltap.h"\n',
                  "daemon/a.h": "", "daemon/a.c": '#include "daemon/a.h"\n'
                                                  '#include "lib/celltap_wire.h"\n'}),
]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
