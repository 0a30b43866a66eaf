#!/usr/bin/python3
"""wall_doors.py - one foreign library, one door: who may include which third-party header.

The file behind a door also translates that library's errors into ours (nng's 2 is "out of memory",
errno's 2 is "no such file").  Tests and examples may include what they like, but for the table's
headers the tests of the library stay behind the same wall.
"""
import re

import wall

# Header (a pattern on what stands between <>): the files that may include it.
DOORS = {
    r"nng/.*": r"daemon/sock.*|cli/dial\.c|examples/.*",
    r"uv\.h": r"(daemon|cli)/.*",
    r"yaml\.h": r"daemon/conf_yaml\.[ch]",
    r"msgpack.*": r"lib/wire/wire_write\.c",
    r"protobuf-c/.*": r"lib/model/onnx\.[ch]",
    r"immintrin\.h": r"lib/kernel/kernel_avx2\.[ch]",
    r"arm_neon\.h": r"lib/kernel/kernel_neon\.[ch]",
    r"malloc\.h": r"daemon/memory\.c",
    r"dirent\.h": r"lib/journal/files\.c|cli/.*|daemon/.*",
    r"check\.h": r"tests/.*",
    r"celltap(_wire|_journal)?\.h": r"examples/.*",  # as their readers write it
}
# Headers of C, of POSIX and of Linux: open to everybody but where SHUT says otherwise.
SYSTEM = re.compile(r"(assert|ctype|dirent|errno|fcntl|fenv|float|fnmatch|getopt|glob|inttypes|"
                    r"langinfo|libgen|limits|locale|math|poll|pthread|sched|semaphore|setjmp|"
                    r"signal|spawn|"
                    r"stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|"
                    r"string|strings|sysexits|syslog|termios|time|unistd|wchar|wctype|"
                    r"(sys|linux|netinet|arpa|net)/[a-z_0-9]+)\.h")
# The library knows no network, no terminal, no processes, no threads of its own.
SHUT = {"lib/": re.compile(r"(dirent|poll|pthread|signal|spawn|syslog|termios|netinet/.*|arpa/.*|"
                           r"net/.*|sys/(socket|un|epoll|select|wait|ioctl))(\.h)?")}
INCLUDE = re.compile(r"\s*#\s*include\s+<([^>]+)>")


def fault(path, header):
    for pattern, files in DOORS.items():
        if re.fullmatch(pattern, header):
            return None if re.fullmatch(files, path) else "belongs to " + files
    for folder, shut in SHUT.items():
        if path.startswith(folder) and shut.fullmatch(header):
            return "not in %s: the library knows only its files" % folder
    return None if SYSTEM.fullmatch(header) else "has no door; give it one in wall_doors.py"


def faults(tree):
    found = []
    for path in tree.find(".c", ".h", under=("lib/", "daemon/", "cli/", "examples/")):
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            why = fault(path, match[1]) if match else None
            if why:
                found.append("%s:%d: <%s> %s" % (path, number, match[1], why))
    return found


BROKEN = [
    ({"lib/base/a.c": "#include <uv.h>\n"}, "<uv.h>"),
    ({"lib/model/fold.c": "#include <protobuf-c/protobuf-c.h>\n"}, "belongs to"),
    ({"daemon/engine.c": "#include <yaml.h>\n"}, "belongs to"),
    ({"lib/base/a.c": "#include <sys/socket.h>\n"}, "not in lib/"),
    ({"daemon/a.c": "# include <curl/curl.h>\n"}, "has no door"),
]
CLEAN = [{"lib/base/a.c": "#include <stdio.h>\n#include <sys/mman.h>\n",
          "daemon/sd.c": "#include <sys/un.h>\n"}]

if __name__ == "__main__":
    wall.run(faults, BROKEN, CLEAN)
