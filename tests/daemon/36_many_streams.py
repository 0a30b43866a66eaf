#!/usr/bin/python3
"""36_many_streams.py - this proves that streams cost their states and little more, and no time.

A frame costs about the same among 50,000 streams as among 100; an idle stream takes few bytes.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

N_STREAMS = 50000


def cpu_s(daemon):
    with open("/proc/%d/stat" % daemon.process.pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def feed_all(req, n_streams, n_frames):
    values = struct.pack("<3f", 1, 2, 3)
    for at in range(0, n_frames, 1000):
        reply = D.feed(req, [D.frame("plant/%d" % ((at + i) % n_streams), values)
                             for i in range(1000)])
        cases.same(reply["accepted"], 1000)


def test_streams_when_50000_then_small_and_no_slower():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        feed_all(req, 100, N_STREAMS)  # warm
        began = cpu_s(daemon)
        feed_all(req, 100, N_STREAMS)
        few = cpu_s(daemon) - began
        before = daemon.rss_bytes()
        feed_all(req, N_STREAMS, N_STREAMS)
        per_stream = (daemon.rss_bytes() - before) / N_STREAMS
        began = cpu_s(daemon)
        feed_all(req, N_STREAMS, N_STREAMS)
        many = cpu_s(daemon) - began
        cases.same(daemon.status()["streams"], N_STREAMS)
        print("%.0f bytes a stream; %.2f s for %d frames of 100 streams, %.2f s of %d" %
              (per_stream, few, N_STREAMS, many, N_STREAMS))
        assert per_stream < 1024 * D.SLOW, per_stream  # its states: 4 tensors padded to 64 bytes
        assert many < 3 * few + 0.1, (few, many)


cases.run(globals())
