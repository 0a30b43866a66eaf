#!/usr/bin/python3
"""wall_cards.py - every source file opens with its card: its name and its job in one line."""
import re

import wall

# Suffix: how the first line of a card begins.
CARDS = {
    ".c": "/* {name} - ",
    ".h": "/* {name} - ",
    ".py": '"""{name} - ',
    ".sh": "# {name} - ",
}
SHEBANG = re.compile(r"#!.*\n")
JOB_MIN = 12  # characters; less is no sentence


def faults(tree):
    found = []
    for path in tree.find(*CARDS):
        name = path.rsplit("/", 1)[-1]
        text = SHEBANG.sub("", tree.text(path), count=1)
        if not text.strip():
            continue  # an empty __init__.py
        begin = CARDS["." + name.rsplit(".", 1)[-1]].format(name=name)
        first = text.split("\n", 1)[0]
        if not first.startswith(begin):
            found.append("%s:1: does not open with its card: %s..." % (path, begin))
        elif len(first) - len(begin) < JOB_MIN:
            found.append("%s:1: the card does not say what the file is for" % path)
    return found


BROKEN = [
    ({"lib/base/a.c": "#include <stdio.h>\n"}, "does not open with its card"),
    ({"lib/base/a.c": "/* b.c - made for another file */\n"}, "does not open with its card"),
    ({"lib/base/a.h": "/* a.h - things */\n"}, "does not say"),
    ({"tests/a.py": "#!/usr/bin/python3\nimport os\n"}, "does not open with its card"),
]
CLEAN = [{"lib/base/a.c": "/* a.c - many small things that are freed together. */\n",
          "tests/a.py": '#!/usr/bin/python3\n"""a.py - makes the golden files."""\n'}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
