#!/usr/bin/python3
"""wall_symbols.py - what objects export: foo.c only foo_*, the shared library only celltap_*.

    lib/cell/lstm.c        lstm_new                 its own name
    daemon/conf_yaml.c     conf_yaml_*, conf_*      or that of its family
    lib/stream/panel.c     celltap_panel_*          or the public face; in lib/ alone
    cli/cmd_feed.c         cmd_feed                 the name itself

Nothing may be written to but what a function is given: writable data with a lifetime of the
program is a global, whoever can see it.  GLOBALS names the few there are, with the reason.
"""
import os
import re

import wall

# File: what else it may export, and why.
ALSO = {
    "daemon/sock_send.c": ("sendmsg", "stands before the C library's, see its card"),
    "lib/cell/cell.c": ("cell_", "what all cells have in common"),
}
# File: the writable data that it may hold, and why.
GLOBALS = {
    "daemon/log.c": ("log_.*", "the log level, and whether stderr is the journal"),
    "cli/screen.c": ("screen", "a handler restores the terminal when the process crashes"),
    "cli/stop.c": ("stop_signal", "what a signal handler can reach has to be static"),
    "lib/kernel/kernel_pick.c": ("kernel_picked", "the kernel, chosen at the first call"),
    "lib/base/alloc.c": (".*", "tests make the Nth allocation fail and count those alive"),
}
EXPORTED = re.compile(r"^[0-9a-f]* *([A-TV-Z]) (\S+)$", re.M)
WRITABLE = re.compile(r"^[0-9a-f]* *([BbDdCGgSs]) (\S+)$", re.M)


def allowed(path, name):
    stem = os.path.basename(path)[:-2]
    words = stem.split("_")
    families = ["_".join(words[:n]) for n in range(1, len(words) + 1)]
    if any(name == family or name.startswith(family + "_") for family in families):
        return True
    if path.startswith("lib/") and name.startswith("celltap_"):
        return True
    if stem == "main" and name == "main":
        return True
    return path in ALSO and name.startswith(ALSO[path][0])


def faults(tree):
    found = []
    for path in tree.find(".c", under=("lib/", "daemon/", "cli/")):
        target = os.path.join(tree.build, path[:-2] + ".o")
        if not os.path.exists(target):
            found.append("%s: was not built" % path)
            continue
        symbols = wall.output("nm", target)
        for _, name in EXPORTED.findall(symbols):
            if not allowed(path, name) and not name.startswith(("__asan", "__odr", "__tsan")):
                found.append("%s: exports %s" % (path, name))
        mine = GLOBALS.get(path, ("(?!)",))[0]
        for _, name in WRITABLE.findall(symbols):
            # .data.rel.ro is written by the loader alone: tables that hold addresses
            if not re.fullmatch(mine, name) and not in_relro(target, name):
                found.append("%s: holds the variable %s" % (path, name))
    shared = os.path.join(tree.build, "libcelltap.so.0")
    if os.path.exists(shared):
        for _, name in EXPORTED.findall(wall.output("nm", "-D", "--defined-only", shared)):
            if not name.startswith("celltap_"):
                found.append("libcelltap.so.0: shows %s" % name)
    elif "Makefile" in tree.paths:
        found.append("libcelltap.so.0: was not built")
    return found


def in_relro(target, name):
    for line in wall.output("objdump", "-t", target).splitlines():
        words = line.split()
        if words and words[-1] == name:
            return any(word.startswith(".data.rel.ro") for word in words)
    return False


BROKEN = [
    ({"lib/base/arena.c": "int frobnicate(void);\nint frobnicate(void)\n{\n    return 1;\n}\n"},
     "exports frobnicate"),
    ({"daemon/tap.c": "int celltap_tap(void);\nint celltap_tap(void)\n{\n    return 1;\n}\n"},
     "exports celltap_tap"),
    ({"daemon/tap.c": "int tap_count = 1;\n"}, "holds the variable tap_count"),
    ({"lib/base/arena.c": "int *arena_next(void);\nint *arena_next(void)\n{\n"
                          "    static int n;\n    return &n;\n}\n"}, "holds the variable n"),
]
CLEAN = [{"lib/base/arena.c": "static const char *const names[] = {\"a\"};\n"
                              "const char *arena_name(int i);\nconst char *arena_name(int i)\n{\n"
                              "    return names[i];\n}\n",
          "daemon/conf_yaml.c": "int conf_load(void);\nint conf_load(void)\n{\n    return 1;\n}\n",
          "cli/main.c": "int main(void)\n{\n    return 0;\n}\n"}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN, build=True)
