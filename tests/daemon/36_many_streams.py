#!/usr/bin/python3
"""36_many_streams.py - this proves that streams cost their states and little more, and no time.

A frame costs about the same among 50,000 streams as among 100; an idle stream takes few bytes; a
snapshot of all of them, and a start from it, take no second copy of their states.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

N_STREAMS = 50000
N_SAVED = 20000
SPARE_BYTES = 6 << 20  # of slices, windows, frames on their way: what does not grow with the streams


def cpu_s(daemon):
    with open("/proc/%d/stat" % daemon.process.pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(daemon):
    with open("/proc/%d/status" % daemon.process.pid, encoding="ascii") as file:
        return [int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:")][0]


def feed_all(req, n_streams, n_frames, values=(1, 2, 3)):
    values = struct.pack("<%df" % len(values), *values)
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


def test_snapshot_when_of_20000_streams_then_no_second_copy_of_the_states():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(taps=[], journal={"snapshot_every": 10**9}, models=[{
            "name": "m", "file": os.path.join(D.ROOT, "config/demo/demo.onnx"), "streams": ["*"]}]))
        daemon.start()
        with sp.Req(daemon.url("ack")) as req:
            feed_all(req, N_SAVED, N_SAVED, (1,))
        before = daemon.rss_bytes()
        daemon.control("snapshot")
        D.wait_until(lambda: daemon.status()["journal"]["snapshots"] == 1, "a snapshot")
        saving = peak_bytes(daemon) - before
        folder = os.path.join(daemon.directory, "journal")
        saved, = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)
                  if name.endswith(".snap")]
        daemon.process.kill()
        daemon.process.wait()
        daemon.notify.close()
        daemon.start()
        cases.same(daemon.status()["streams"], N_SAVED)
        loading = peak_bytes(daemon) - daemon.rss_bytes()
        print("a snapshot of %.1f MiB: %.1f MiB to make it, %.1f MiB to start from it" %
              (saved / 2**20, saving / 2**20, loading / 2**20))
        assert saved > 2 * SPARE_BYTES, saved
        assert saving < SPARE_BYTES * D.SLOW, saving
        assert loading < SPARE_BYTES * D.SLOW, loading


cases.run(globals())
