#!/usr/bin/python3
"""55_watch_table.py - this proves that watch's picture fits any terminal and gives it back, whatever comes.

What is drawn on a small terminal that is played here must stay within them, and after the end, by key, signal, stop or crash, the first screen, the cursor and
the keyboard's modes must be as they were.
"""
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp
from terminal import Terminal, needed

def feed(daemon, seqs, stream="pump/1"):
    with sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame(stream, [0.1 * seq, 1 - seq, 2], seq=seq) for seq in seqs])


def open_terminal(daemon, *arguments, **more):
    """A watch that shows the waiting picture, then frames that it will show."""
    terminal = Terminal(daemon, *arguments, **more)
    terminal.wait_for("waiting for frames")
    feed(daemon, range(1, 4))
    terminal.wait_for("pump/1   seq 3 ")
    return terminal


def test_picture_when_drawn_then_layers_cells_and_legend():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        screen = terminal.look()
        cases.same((screen.alternate, screen.hidden), (True, True))
        rows = {line.split()[0]: line for line in screen.shown() if line.strip()}
        for layer, units in [("lstms.0", 5), ("lstms.1", 4), ("fc", 2), ("@output", 2)]:
            cases.same(rows[layer].count("#"), 4 * units, rows[layer])
        assert "q: quit" in screen.shown()[-1] and screen.shown()[-1].startswith("-1 ###########")
        cases.same(screen.beyond, 0, "characters beyond the edge")
        assert "0 lost" in screen.shown()[0], screen.shown()[0]
        feed(daemon, [4, 8])
        terminal.wait_for("seq 8 ")
        terminal.wait_for("3 lost")


def test_colours_when_refused_or_rich_then_followed():
    with D.Daemon() as daemon:
        with open_terminal(daemon, NO_COLOR="1") as terminal:
            assert not any("#" in line for line in terminal.look().shown())
            assert any("\u2588" in line for line in terminal.look().shown())
        for number, environment in enumerate([{"COLORTERM": "truecolor"}, {"TERM": "xterm"}], 1):
            with Terminal(daemon, **environment) as terminal:
                terminal.wait_for("waiting")
                feed(daemon, range(10 * number, 10 * number + 3))
                terminal.wait(lambda screen: sum(map(lambda line: line.count("#"),
                                                     screen.shown())) > 40, "colours")


def test_terminal_when_of_any_size_then_picture_stays_within():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        for columns, lines in [(200, 60), (40, 10), (32, 4), (12, 3), (80, 24)]:
            terminal.screen.resize(columns, lines)
            terminal.size(columns, lines)
            terminal.look(0.5)  # what was on its way for the old size may still come
            terminal.screen.resize(columns, lines)
            terminal.screen.beyond = 0
            terminal.look(0.2)
            cases.same(terminal.screen.beyond, 0, "beyond %dx%d" % (columns, lines))
        feed(daemon, [5000])
        terminal.wait_for("seq 5,000 ")


def test_end_when_by_key_then_screen_is_restored():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        terminal.key("q")
        cases.same(terminal.end(), 0)
        terminal.is_restored()


def test_end_when_by_signal_then_screen_is_restored():
    with D.Daemon() as daemon:
        for send in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT,
                     signal.SIGQUIT]:
            with Terminal(daemon) as terminal:
                terminal.wait_for("waiting")
                if send == signal.SIGINT:
                    terminal.key("\x03")
                else:
                    terminal.process.send_signal(send)
                cases.same(terminal.end(), -send)
                terminal.is_restored()


def test_stop_when_by_key_then_restored_meanwhile_and_drawn_anew():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait(lambda screen: not screen.alternate, "the first screen")
        def stopped():
            with open("/proc/%d/stat" % terminal.process.pid, encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "T"
        D.wait_until(stopped, "the stop")
        terminal.is_restored()
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait(lambda screen: screen.alternate, "the second screen")
        terminal.wait_for("pump/1   seq 3 ")
        terminal.key("q")
        cases.same(terminal.end(), 0)
        terminal.is_restored()


def test_keys_when_pressed_then_tensor_and_stream_change():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        feed(daemon, [1], "other")
        terminal.wait_for("(1 of 2)")
        terminal.key("\x1b[C")
        terminal.wait_for("other (2 of 2)")
        terminal.key("\x1b[D\t\t")  # back, and two tensors on: h, then c
        terminal.wait_for("pump/1 (1 of 2)")
        D.wait_until(lambda: [tap for tap in daemon.status()["taps"][1:] if tap["subscribers"]],
                     "the other tap")
        feed(daemon, [10])
        terminal.wait_for("lstms.0 c")
        assert "0 lost" in terminal.look().shown()[0], terminal.screen.shown()[0]


def test_records_when_very_many_then_few_pictures():
    with D.Daemon() as daemon, open_terminal(daemon) as terminal:
        drawn = 0
        began = time.monotonic()
        for seq in range(10, 3010, 10):
            feed(daemon, range(seq, seq + 10))
            if select.select([terminal.master], [], [], 0)[0]:
                data = os.read(terminal.master, 65536).decode(errors="replace")
                drawn += data.count("\x1b[H")
                terminal.screen.take(data)
        took = time.monotonic() - began
        assert drawn <= 21 * took + 2, "%d pictures in %.2f s" % (drawn, took)
        terminal.wait_for("seq 3,009 ")


needed()
cases.run(globals())
