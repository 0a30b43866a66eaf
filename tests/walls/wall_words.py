#!/usr/bin/python3
"""wall_words.py - words that must not appear: promises, private places, unknown hosts.

    unfinished    what is to be done is done, or is not mentioned
    numbers       of issues or changes: a comment says why, not where it was asked for
    places        absolute paths that exist on one machine only
    hosts         addresses other than the few that the papers refer to
"""
import re

import wall

UNFINISHED = re.compile(r"\b(TO" "DO|FIX" "ME|X" "XX|HA" r"CK)\b")
NUMBERS = re.compile(r"(?i)\b(issue|ticket|pull request|bug) #?\d+|(?<![\w&'\"%])#\d{1,5}\b(?!\.)")
PLACES = re.compile(r"(?<![\w.~})*:$@\]>/\\-])/(?!/)([a-z]+)/[\w.]")
SYSTEM = {"bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "sbin", "sys", "tmp",
          "usr", "var"}
HOSTS = re.compile(r"\b(?:https?|git|ssh)://(?:[^@/\s]*@)?([A-Za-z0-9.-]+\.[a-z]{2,})")
KNOWN = {
    "doi.org", "physionet.org", "opendatacommons.org",  # the demo's recording
    "onnx.ai", "pytorch.org", "msgpack.org", "nng.nanomsg.org", "www.freedesktop.org",
    "keepachangelog.com", "semver.org",
    "example.com", "example.org",  # reserved for examples
}
# The path of an ONNX node looks like one of a file: /lstms.0/LSTM.
NODES = {"tests/", "lib/model/", "docs/", "README.md", "examples/"}
SUFFIXES = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".proto", ".mk", ".in", ".service",
            ".sysusers", "Makefile", ".ci/run", ".ci/lint", ".ci/deps",
            ".1", ".3", ".5", ".7", ".8")


def faults(tree):
    found = []
    for path in tree.find(*SUFFIXES):
        if path == "tests/walls/wall_words.py":
            continue  # it has to spell them
        for number, line in tree.lines(path):
            why = []
            why += ["unfinished: " + m[0] for m in UNFINISHED.finditer(line)]
            why += ["a number instead of a reason: " + m[0] for m in NUMBERS.finditer(line)]
            why += ["a private place: " + m[0] for m in PLACES.finditer(line)
                    if m[1] not in SYSTEM and not path.startswith(tuple(NODES))]
            why += ["a private place: " + m[0]
                    for m in re.finditer(r"/(home|root|work|Users)/\w", line)]
            why += ["an unknown host: " + m[1] for m in HOSTS.finditer(line)
                    if m[1] not in KNOWN]
            found += ["%s:%d: %s" % (path, number, w) for w in why]
    return found


BROKEN = [
    ({"lib/base/a.c": "/* TO" "DO: the rest */\n"}, "unfinished"),
    ({"lib/base/a.c": "/* as issue 12 wants it */\n"}, "a number instead"),
    ({"lib/base/a.c": "/* see #12 */\n"}, "a number instead"),
    ({"daemon/a.c": 'open("/data/me/x.onnx");\n'}, "a private place"),
    ({"docs/a.7": "see /home/me/notes\n"}, "a private place"),
    ({"README.md": "get it from https://mirror.intranet.net/x\n"}, "an unknown host"),
]
CLEAN = [{"lib/base/a.c": '/* 3 / 4, a/b, ../shared/x, "/etc/celltap/celltapd.yaml", <b>/<c> */\n'
                          "#define A(x) #x\n#if 0\n#endif\n",
          "README.md": "[x](https://onnx.ai/y) and #section\n"}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
