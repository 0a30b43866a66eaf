#!/usr/bin/python3
"""wall_wire.py - celltap-wire(7) lists every fault of a frame and every control request there is."""
import re

import wall

FAULTS = "daemon/engine.h"
COMMANDS = "daemon/control.c"
MANUAL = "docs/celltap-wire.7"
FAULT = re.compile(r'^    X\([A-Z_]+, "(\w+)"', re.M)
COMMAND = re.compile(r'^    \{"([\w.]+)", (\w+), \w+\},', re.M)
LATER = "control_later"  # answers that this release does not have it
ITEM = re.compile(r"^\.It Li (\S+)$", re.M)


def section(text, title):
    """The items of one section or subsection."""
    parts = re.split(r"^\.S[hs] (.*)$", text, flags=re.M)
    return set(ITEM.findall(dict(zip(parts[1::2], parts[2::2])).get(title, "")))


def differ(where, there, listed):
    return (["%s: %s of %s is missing" % (MANUAL, name, where) for name in sorted(there - listed)] +
            ["%s: %s is not in %s" % (MANUAL, name, where) for name in sorted(listed - there)])


def faults(tree):
    text = {path: tree.text(path) for path in tree.find(".h", ".c", ".7")
            if path in (FAULTS, COMMANDS, MANUAL)}
    commands = {name for name, act in COMMAND.findall(text.get(COMMANDS, "")) if act != LATER}
    manual = text.get(MANUAL, "")
    return (differ(FAULTS, set(FAULT.findall(text.get(FAULTS, ""))), section(manual, "Faults")) +
            differ(COMMANDS, commands, section(manual, "CONTROL")))


GOOD = {FAULTS: '    X(TYPE, "type", "a key")  \\\n',
        COMMANDS: '    {"reset", control_reset, control_ok_write},\n'
                  '    {"replay", control_later, control_ok_write},\n',
        MANUAL: ".Ss Faults\n.It Li type\n.Ss Socket types\n.It Li other\n.Sh CONTROL\n.It Li reset\n"}
BROKEN = [
    (dict(GOOD, **{FAULTS: GOOD[FAULTS] + '    X(KEY, "key", "a key")\n'}), "key of daemon"),
    (dict(GOOD, **{COMMANDS: ""}), "reset is not in"),
    (dict(GOOD, **{MANUAL: GOOD[MANUAL].replace("reset", "status")}), "reset of daemon"),
]
CLEAN = [GOOD]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
