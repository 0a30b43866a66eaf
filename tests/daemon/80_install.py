#!/usr/bin/python3
"""80_install.py - proves that make install puts everything in place and make uninstall nothing else.

Installed into a directory of its own: the files are there, the paths in them are filled in, a program
builds against them with pkg-config (shared and static) and runs; a configuration that somebody wrote
is kept by both commands.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.relpath(os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build")), ROOT)
PREFIX = "/opt/celltap"
CONFIG = "etc/celltap/celltapd.yaml"
FILES = {CONFIG} | {PREFIX[1:] + "/" + name for name in (
    "bin/celltap", "bin/celltapd", "include/celltap.h", "include/celltap_journal.h",
    "include/celltap_wire.h",
    "lib/libcelltap.a", "lib/libcelltap.so", "lib/libcelltap.so.0", "lib/pkgconfig/celltap.pc",
    "lib/systemd/system/celltapd.service", "lib/sysusers.d/celltapd.conf")}


def run(*command, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=dict(environment, **variables), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, "%s: %s" % (" ".join(command), done.stdout.decode())
    return done.stdout.decode()


def make(target, destdir):
    run("make", "--no-print-directory", target, "BUILD=" + BUILD, "PREFIX=" + PREFIX,
        "DESTDIR=" + destdir)


def installed(destdir):
    return {os.path.relpath(os.path.join(folder, name), destdir)
            for folder, _, names in os.walk(destdir) for name in names}


def manuals():
    return {"%s/share/man/man%s/%s" % (PREFIX[1:], name[-1], name)
            for name in os.listdir(os.path.join(ROOT, "docs")) if name[-2:-1] == "."
            and name[-1] in "12345678"}


def test_install_puts_every_file_in_place(destdir):
    assert installed(destdir) == FILES | manuals(), installed(destdir) ^ (FILES | manuals())
    assert len(manuals()) >= 5
    inside = os.path.join(destdir, PREFIX[1:])
    for name in ("lib/pkgconfig/celltap.pc", "lib/systemd/system/celltapd.service"):
        with open(os.path.join(inside, name), encoding="utf-8") as file:
            text = file.read()
        assert PREFIX in text and "@" not in text.replace("@system-service", ""), text
    version = run(os.path.join(inside, "bin/celltap"), "--version").split()[-1]
    assert version == run("pkg-config", "--modversion", "celltap",
                          PKG_CONFIG_PATH=inside + "/lib/pkgconfig").strip()


def test_program_builds_against_it_and_runs(destdir):
    inside = os.path.join(destdir, PREFIX[1:])
    where = {"PKG_CONFIG_PATH": inside + "/lib/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": destdir}
    flags = run("pkg-config", "--cflags", "--libs", "celltap", **where).split()
    private = [f for f in run("pkg-config", "--static", "--libs", "celltap", **where).split()
               if f != "-lcelltap"]
    model = os.path.join(ROOT, "config/demo/demo.onnx")
    outputs = []
    for name, libraries in (("shared", flags), ("static", [inside + "/lib/libcelltap.a", *private])):
        program = os.path.join(destdir, name)
        cflags = [f for f in flags if f.startswith("-I")]
        run("cc", "-std=c11", *cflags, "examples/embed_step.c", "-o", program, *libraries)
        outputs.append(run(program, model, LD_LIBRARY_PATH=inside + "/lib"))
        needs = "libcelltap.so.0" in run("ldd", program, LD_LIBRARY_PATH=inside + "/lib")
        assert needs == (name == "shared"), name
        os.unlink(program)
    assert outputs[0] and outputs[0] == outputs[1], outputs


def test_headers_are_strict_c_and_cxx(destdir):
    include = os.path.join(destdir, PREFIX[1:], "include")
    languages = [["cc", "-std=c99", "-xc"]]
    if shutil.which("c++"):
        languages.append(["c++", "-std=c++11", "-xc++"])
    for language in languages:
        for header in sorted(os.listdir(include)):
            run(*language, "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                "-include", os.path.join(include, header), "/dev/null")


def test_uninstall_removes_exactly_that(destdir):
    other = os.path.join(destdir, PREFIX[1:], "lib/other")
    with open(other, "w", encoding="utf-8"):
        pass
    make("uninstall", destdir)
    assert installed(destdir) == {os.path.relpath(other, destdir)}, installed(destdir)
    assert not os.path.exists(os.path.join(destdir, "etc/celltap"))


def test_destination_with_a_blank_is_one_folder(destdir):
    blank = os.path.join(destdir, "a b")
    make("install", blank)
    assert CONFIG in installed(blank), installed(blank)
    make("uninstall", blank)
    assert os.listdir(destdir) == ["a b"] and not installed(blank), os.listdir(destdir)


def test_configuration_of_ones_own_is_kept(destdir):
    own = os.path.join(destdir, CONFIG)
    os.makedirs(os.path.dirname(own), exist_ok=True)
    with open(own, "w", encoding="utf-8") as file:
        file.write("# mine\n")
    make("install", destdir)
    make("uninstall", destdir)
    with open(own, encoding="utf-8") as file:
        assert file.read() == "# mine\n"


def main():
    if BUILD != "build":
        print("only the plain build is installed")
        return 77
    with tempfile.TemporaryDirectory() as destdir:
        make("install", destdir)
        make("install", destdir)  # twice is as good as once
        test_install_puts_every_file_in_place(destdir)
        test_program_builds_against_it_and_runs(destdir)
        test_headers_are_strict_c_and_cxx(destdir)
        test_uninstall_removes_exactly_that(destdir)
        test_configuration_of_ones_own_is_kept(destdir)
    with tempfile.TemporaryDirectory() as destdir:
        test_destination_with_a_blank_is_one_folder(destdir)
    print("6 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
