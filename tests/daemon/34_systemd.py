#!/usr/bin/python3
"""34_systemd.py - this proves that systemd is told the truth.

READY after all sockets listen, STATUS with the rate, WATCHDOG while the loop turns and not when it
hangs, STOPPING at the end; that the daemon is ready within 100 ms, and never forks; and that it
never waits for whoever should read all this.
"""
import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp


def test_daemon_when_ready_then_all_sockets_are_there_and_it_did_not_fork():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default())
        began = time.monotonic()
        daemon.start()
        took = time.monotonic() - began
        for name in ("ingest", "ack", "all", "control"):
            assert os.path.exists(daemon.url(name)[len("ipc://"):]), name
        cases.same(daemon.status()["pid"], daemon.process.pid)
        assert took < 0.1 * D.SLOW or D.SLOW > 1 or os.getloadavg()[0] > 2, took


def test_status_when_some_seconds_have_passed_then_the_rate_is_told():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        def look():
            D.feed(req, [D.frame("s", [1, 2, 3])])
            return [line for line in daemon.notifications() if line.startswith("STATUS=")]
        line = D.wait_until(look, "STATUS=")[-1]
        match = re.match(r"STATUS=(\d+) frames/s, 1 streams, 0 subscribers$", line)
        assert match and int(match[1]) > 0, line
        assert daemon.status()["per_second"] > 0


def test_watchdog_when_the_loop_hangs_then_silent_until_it_turns_again():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default())
        daemon.environment = {"WATCHDOG_USEC": "1000000"}
        daemon.start()

        def barks():
            return daemon.notifications().count("WATCHDOG=1")
        D.wait_until(lambda: barks() >= 2, "WATCHDOG=1 twice")
        daemon.signal(signal.SIGSTOP)
        barks()
        D.wait_until(lambda: open("/proc/%d/stat" % daemon.process.pid,
                                  encoding="ascii").read().split()[2] == "T", "it to hang")
        before, until = barks(), time.monotonic() + 1.5
        D.wait_until(lambda: time.monotonic() > until, "1.5 s of hanging")
        cases.same(barks(), before)
        daemon.signal(signal.SIGCONT)
        D.wait_until(lambda: barks() > before, "WATCHDOG=1 again")


def fill(path):
    """Leaves no room in a notify socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.setblocking(False)
        try:
            while True:
                full.sendto(b"X=1", path)
        except BlockingIOError:
            pass


def test_notifications_when_nobody_reads_them_then_frames_are_taken_and_the_state_comes_later():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack"), D.TIMEOUT_S) as req:
        daemon.notifications()
        fill(os.path.join(daemon.directory, "notify"))
        daemon.signal(signal.SIGHUP)  # RELOADING, READY: no room for either
        daemon.wait_log("reload: 1 model, ")
        for seq in range(1, 11):
            cases.same(D.feed(req, [D.frame("s", [1, 2, 3], seq=seq)])["accepted"], 1)
        before = daemon.notified.count("READY=1")
        D.wait_until(lambda: daemon.notifications().count("READY=1") == before + 1, "READY=1")
        fill(os.path.join(daemon.directory, "notify"))
        cases.same(daemon.terminate(), 0)


def test_ready_when_the_socket_is_full_at_start_then_told_as_soon_as_there_is_room():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default())
        path = os.path.join(daemon.directory, "other")
        daemon.environment = {"NOTIFY_SOCKET": path}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            fill(path)
            daemon.start(wait=False)
            daemon.wait_log("ready: celltapd")
            cases.same(daemon.status()["accepted"], 0)
            notify.settimeout(D.TIMEOUT_S)
            while notify.recv(4096) != b"READY=1":
                pass


def test_ready_when_the_address_is_abstract_then_told_there():
    name = "celltap-test-%d" % os.getpid()
    with D.Daemon(start=False) as daemon, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        daemon.write(daemon.default())
        notify.bind("\0" + name)
        notify.settimeout(D.TIMEOUT_S)
        daemon.environment = {"NOTIFY_SOCKET": "@" + name}
        daemon.start(wait=False)
        cases.same(notify.recv(4096), b"READY=1")
        cases.same(daemon.terminate(), 0)


cases.run(globals())
