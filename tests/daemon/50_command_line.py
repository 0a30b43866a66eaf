#!/usr/bin/python3
"""50_command_line.py - this proves that the command explains itself and says what was wrong.

Help fits one screen and has an example; the manual knows every option; a mistake is one line on
stderr that says what to do, with the exit code that belongs to it.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D

COMMANDS = ["inspect", "extract", "score", "reservoir", "feed", "watch", "replay", "journal", "status", "streams", "top", "reset", "reload"]


def manual():
    with open(os.path.join(D.ROOT, "docs", "celltap.1"), encoding="utf-8") as file:
        return file.read()


def refused(*arguments, code, part):
    """One line on stderr that holds `part`, nothing on stdout."""
    done = celltap.run(*arguments, check=code)
    cases.same(done.out, "", "stdout of %s" % (arguments,))
    assert done.err.startswith("celltap: ") and done.err.count("\n") == 1, done.err
    assert part in done.err, "%r is not in %r" % (part, done.err)


def test_help_when_asked_for_then_fits_one_screen_with_an_example():
    for arguments in [["--help"]] + [[command, "--help"] for command in COMMANDS]:
        lines = celltap.run(*arguments).out.splitlines()
        assert len(lines) <= 24, "%s: %d lines" % (arguments, len(lines))
        wide = [line for line in lines if len(line) > 80]
        assert not wide, "%s: %r" % (arguments, wide)
        assert "Example:" in lines, arguments


def test_help_when_asked_for_then_lists_all_commands_and_the_manual_knows_them():
    text = celltap.run("--help").out
    cases.same(re.findall(r"^  ([a-z]+)  ", text, re.M), COMMANDS, "commands")
    for command in COMMANDS:
        assert ".Ss celltap " + command in manual(), command


def test_options_when_in_help_then_in_the_manual():
    for command in COMMANDS:
        text = celltap.run(command, "--help").out
        rest = re.search(r"^  celltap\(1\):( .*)?", text, re.M)
        for option in re.findall(r"^  (?:-., )?--([a-z-]+)", text, re.M) + \
                      re.findall(r" --([a-z-]+)", rest[1] if rest else ""):
            assert re.search(r"Fl -%s\b" % option, manual()), "%s --%s" % (command, option)


def test_version_when_asked_for_then_the_library_s():
    with open(os.path.join(D.ROOT, "lib", "celltap.h"), encoding="utf-8") as file:
        version = re.search(r'CELLTAP_VERSION "(.*)"', file.read())[1]
    cases.same(celltap.run("--version").out, "celltap %s\n" % version)


def test_command_when_unknown_then_what_there_is_and_the_nearest():
    refused("whatch", code=2, part="did you mean watch?")
    refused("extrac", code=2, part="did you mean extract?")
    refused("frobnicate", code=2, part="there are: " + ", ".join(COMMANDS))
    refused(code=2, part="celltap --help")


def test_option_when_wrong_then_usage():
    refused("watch", "--tensors", "h", code=2, part="did you mean --tensor?")
    refused("watch", "--every", "0", code=2, part="a whole number from 1")
    refused("watch", "--every", "-3", code=2, part="a whole number from 1")
    refused("watch", "--duration", "soon", code=2, part="a number above 0")
    refused("watch", "--format", "xml", code=2, part="table|jsonl|csv")
    refused("watch", "--format=table", code=2, part="needs a terminal")
    refused("watch", "--every", code=2, part="needs a value")
    refused("extract", "a.onnx", code=2, part="usage: celltap extract MODEL DATA.csv -o DIR")
    refused("extract", "a.onnx", "b.csv", code=2, part="-o DIR")
    refused("inspect", "a", "b", code=2, part='does not take "b"')
    refused("feed", "x.csv", code=2, part="--dial URL and --stream NAME")
    refused("feed", "x.csv", "--dial=ipc:///x", "--stream=a b", code=2, part="[A-Za-z0-9._:/-]")
    refused("feed", "x.csv", "--dial=ipc:///x", "--stream=a", "--rate=fast", code=2,
            part="frames per second")


def test_address_when_it_cannot_be_one_then_what_is_missing():
    for url in "tcp://nohost.invalid:1", "tcp://localhost", "tcp://localhost:99999":
        refused("status", "--control", url, code=1, part="there is no such host")
    refused("status", "--control", "foo", code=1, part="is not an address; write ipc:///path or")


def test_control_sequences_when_in_arguments_then_do_not_reach_the_terminal():
    refused("\033[2J", code=2, part="\\x1b[2J")


def test_daemon_when_not_there_then_said_with_how_to_start_it():
    nowhere = "ipc:///tmp/celltap-test-nowhere/control.ipc"
    for command in [["status"], ["streams"], ["reset", "s"], ["reload"], ["watch"]]:
        refused(*command, "--control", nowhere, code=1, part="start it: celltapd")
        done = celltap.run(*command, check=1, environment={"CELLTAP_CONTROL": nowhere})
        assert nowhere in done.err, done.err


def test_reader_when_gone_then_quiet():
    read, write = os.pipe()
    os.close(read)
    process = celltap.start("inspect", D.MODEL, stdout=write, stderr=celltap.subprocess.PIPE)
    os.close(write)
    cases.same((process.communicate()[1], process.returncode), (b"", 0))


def test_disk_when_full_then_said():
    with open("/dev/full", "wb") as full:
        process = celltap.start("inspect", D.MODEL, stdout=full, stderr=celltap.subprocess.PIPE)
        error = process.communicate()[1]
    assert process.returncode == 1 and b"No space left" in error, error


cases.run(globals())
