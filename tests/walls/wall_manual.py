#!/usr/bin/python3
"""wall_manual.py - libcelltap(3) declares every public function as the two headers do, and names
every operator that can be loaded."""
import re
import shlex

import wall

HEADERS = ("lib/celltap.h", "lib/celltap_wire.h")
MANUAL = "docs/libcelltap.3"
OPERATORS = "lib/model/lower_table.c"
ROW = re.compile(r'^ *\{"(\w+)", lower_', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
PROTOTYPE = re.compile(r"^CELLTAP_API ([^;]*?\*?)\b(celltap_\w+)\(([^;]*)\);", re.M | re.S)


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def declared(text):
    """{name: "type name(arguments)"} of a header."""
    return {name: plain("%s|%s|%s" % (plain(kind), name, plain(arguments)))
            for kind, name, arguments in PROTOTYPE.findall(COMMENT.sub("", text))}


def documented(text):
    """The same of a manual's SYNOPSIS."""
    found, kind, name, arguments = {}, "", None, []
    for line in text.split("\n.Sh DESCRIPTION")[0].splitlines():
        words = shlex.split(line) if line.startswith(".F") else [""]
        if words[0] == ".Ft":
            kind = " ".join(words[1:])
        elif words[0] == ".Fo":
            name, arguments = words[1], []
        elif words[0] == ".Fa":
            arguments += words[1:]
        elif words[0] == ".Fc" or words[0] == ".Fn":
            if words[0] == ".Fn":
                name, arguments = words[1], words[2:]
            found[name] = plain("%s|%s|%s" % (plain(kind), name, ", ".join(arguments)))
    return found


def operators(text):
    """The words of the manual's section about them."""
    section = text.partition(".Ss Networks that stream\n")[2].partition("\n.Ss ")[0]
    return set(re.findall(r"\w+", section))


def faults(tree):
    headers, manual, known, named = {}, {}, set(), set()
    for path in tree.find(".h", ".3", ".c"):
        if path in HEADERS:
            headers.update(declared(tree.text(path)))
        elif path == MANUAL:
            manual = documented(tree.text(path))
            named = operators(tree.text(path))
        elif path == OPERATORS:
            known = set(ROW.findall(tree.text(path)))
    found = ["%s: %s is missing" % (MANUAL, name) for name in sorted(set(headers) - set(manual))]
    found += ["%s: there is no %s" % (MANUAL, name) for name in sorted(set(manual) - set(headers))]
    found += ["%s: %s is %s in the header" % (MANUAL, manual[name], headers[name])
              for name in sorted(set(headers) & set(manual)) if headers[name] != manual[name]]
    found += ["%s: operator %s is not named" % (MANUAL, op) for op in sorted(known - named)]
    return found


HEADER = "CELLTAP_API void celltap_a(int b,\n                          const char *c);\n"
PAGE = '.Ft void\n.Fn celltap_a "int b" "const char *c"\n'
BROKEN = [
    ({"lib/celltap.h": HEADER, "docs/libcelltap.3": ""}, "is missing"),
    ({"lib/celltap.h": "", "docs/libcelltap.3": PAGE}, "there is no"),
    ({"lib/celltap.h": HEADER, "docs/libcelltap.3": PAGE.replace("int", "long")}, "in the header"),
    ({OPERATORS: '    {"Tanh", lower_math_unary, ""},\n', "docs/libcelltap.3": ""}, "Tanh is not named"),
]
CLEAN = [{"lib/celltap.h": HEADER, "docs/libcelltap.3": PAGE}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
