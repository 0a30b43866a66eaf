"""wall.py - what the walls share: a tree of files to look at, and the run of one wall.

    wall_NAME.py:  faults(tree) -> ["path:line: what is wrong", ...]     the rule
                   BROKEN = [({path: text}, part of the fault), ...]     made-up violations
                   CLEAN  = [{path: text}, ...]                          made-up trees without any

A wall that does not notice its made-up violations, or cries at a clean tree, fails as well: a rule
that nobody can break proves nothing.
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRUNED = {".git", "__pycache__", ".pytest_cache"}


class Tree:
    """Files below a root, by path from there; what was built from them is in `build`."""

    def __init__(self, root, build):
        self.root, self.build = root, build
        self.paths = []
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in PRUNED and not f.startswith("build")]
            self.paths += [os.path.relpath(os.path.join(folder, name), root) for name in names]
        self.paths.sort()

    def find(self, *suffixes, under=("",)):
        """Paths that end in one of the suffixes and start with one of the folders."""
        return [p for p in self.paths if p.endswith(suffixes) and p.startswith(tuple(under))]

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def lines(self, path):
        return list(enumerate(self.text(path).splitlines(), 1))


def output(*command, cwd=None):
    """Standard output and error of a command, whatever its exit code."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    return done.stdout.decode(errors="replace")


def compile_c(root, path, target):
    """Compiles one file as a C source of the project; "" or what the compiler says."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    return output(os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-I.", "-fPIC",
                  "-fvisibility=hidden", "-x", "c", "-c", path, "-o", target, cwd=root)


def made_up(files, faults, build):
    """The faults found in a tree of made-up files."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        tree = Tree(root, os.path.join(root, "build"))
        if build:
            for path in tree.find(".c"):
                compile_c(root, path, os.path.join(tree.build, path[:-2] + ".o"))
        return faults(tree)


def run(faults, broken, clean, build=False):
    """Runs a wall; `build`: the made-up C files have to be compiled first."""
    passed = failed = 0
    found = faults(Tree(ROOT, os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))))
    complaints = list(found)
    failed, passed = (1, 0) if found else (0, 1)
    for files, part in broken:
        found = made_up(files, faults, build)
        if any(part in fault for fault in found):
            passed += 1
        else:
            failed += 1
            complaints.append("self-test: %r not noticed in %s (found: %s)"
                              % (part, sorted(files), found))
    for files in clean:
        found = made_up(files, faults, build)
        failed, passed = (failed + 1, passed) if found else (failed, passed + 1)
        complaints += ["self-test: cried at a clean tree: " + fault for fault in found]
    print("\n".join(complaints + ["%d passed, %d failed" % (passed, failed)]))
    sys.exit(1 if failed else 0)
