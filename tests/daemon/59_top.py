#!/usr/bin/python3
"""59_top.py - this proves that top shows what status and streams say, again and again, and gives the terminal back."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import sp
from terminal import Terminal, needed


def feed(daemon, stream, n):
    with sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame(stream, [1, 2, 3]) for _ in range(n)])


def test_page_when_frames_come_then_it_follows():
    with D.Daemon() as daemon, Terminal(daemon, command="top", columns=150) as top:
        top.wait_for("0 accepted")
        cases.same((top.screen.alternate, top.screen.hidden), (True, True))
        feed(daemon, "pump/1", 1234)
        top.wait_for("1,234 accepted")
        top.wait(lambda screen: any(line.split()[:3] == ["pump/1", "m", "1,234"]
                                    for line in screen.shown()), "the stream's row")
        cases.same(top.screen.beyond, 0, "characters beyond the edge")
        top.key("q")
        cases.same(top.end(), 0)
        top.is_restored()


def test_terminal_when_small_then_page_is_cut():
    with D.Daemon() as daemon:
        feed(daemon, "a" * 200, 1)
        with Terminal(daemon, "--match", "a*", command="top", columns=20, lines=5) as top:
            top.wait_for("celltapd")
            top.screen.resize(40, 30)
            top.size(40, 30)
            top.wait(lambda screen: screen.shown()[-1] != "" or
                     any(line.startswith("aaaa") for line in screen.shown()), "the stream")
            cases.same(top.screen.beyond, 0, "characters beyond the edge")
            top.process.send_signal(signal.SIGTERM)
            cases.same(top.end(), -signal.SIGTERM)
            top.is_restored()


def test_daemon_when_it_goes_then_said_and_restored():
    with D.Daemon() as daemon, Terminal(daemon, command="top") as top:
        top.wait_for("0 accepted")
        daemon.terminate()
        cases.same(top.end(), 1)
        top.is_restored()


def test_output_when_no_terminal_then_refused():
    done = celltap.run("top", check=2)
    cases.same(done.out, "")
    assert "celltap status" in done.err, done.err


needed()
cases.run(globals())
