#!/usr/bin/python3
"""39_latency.py - this proves that the daemon asks the kernel for processors that wake fast if its
configuration says so, as long as it runs, and says when it may not ask.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D

FILE = "/dev/cpu_dma_latency"
ALLOWED = os.access(FILE, os.R_OK | os.W_OK)


def asked_us():
    """The least that any process has asked for."""
    with open(FILE, "rb") as file:
        return struct.unpack("i", file.read(4))[0]


def holds_it(daemon):
    fds = "/proc/%d/fd" % daemon.process.pid
    return FILE in [os.path.realpath(os.path.join(fds, fd)) for fd in os.listdir(fds)]


def test_latency_when_configured_then_asked_until_the_end_or_said():
    with D.Daemon({"cpu_dma_latency_us": 17}) as daemon:
        if ALLOWED:
            assert holds_it(daemon)
            assert asked_us() <= 17
        else:
            daemon.wait_log("cpu_dma_latency_us: /dev/cpu_dma_latency: ")
            assert not holds_it(daemon)


def test_latency_when_not_configured_then_nothing_is_asked():
    with D.Daemon() as daemon:
        assert not holds_it(daemon)
        assert "cpu_dma_latency" not in daemon.log()


cases.run(globals())
