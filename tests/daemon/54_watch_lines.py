#!/usr/bin/python3
"""54_watch_lines.py - this proves that watch prints what the daemon publishes, and ends as it should.

Lines equal the library bit for bit; holes are counted; a limit, a time, a reader that goes away, a
signal and a daemon that dies each end it, and the tap with it.
"""
import csv
import io
import json
import os
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import library
import sp

FRAMES = [(0.1 * i, 1 - 0.05 * i, (i % 5) / 4) for i in range(40)]


class Watch:
    """A watch that listens already when it is entered."""

    def __init__(self, daemon, *arguments, stdout=subprocess.PIPE):
        self.daemon = daemon
        n_taps = len(daemon.status()["taps"])
        self.process = celltap.start("watch", "--control", daemon.url("control"), *arguments,
                                     stdout=stdout, stderr=subprocess.PIPE)
        D.wait_until(lambda: [tap for tap in daemon.status()["taps"][n_taps:]
                              if tap["subscribers"] == 1], "watch's tap")

    def end(self):
        out, err = self.process.communicate(timeout=celltap.TIMEOUT_S)
        self.out, self.err = (out or b"").decode(), err.decode()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def feed(daemon, frames, stream="pump/1", **more):
    with sp.Req(daemon.url("ack")) as req:
        reply = D.feed(req, [D.frame(stream, values, **{key: made(i) for key, made in more.items()})
                             for i, values in enumerate(frames)])
    cases.same(reply["accepted"], len(frames))


def expected(frames):
    """{(layer, tensor, seq): list of floats}"""
    return {(layer, tensor, seq): list(struct.unpack("<%df" % (len(values) // 4), values))
            for seq, step in enumerate(library.Network(D.MODEL).run(frames), 1)
            for (layer, tensor), values in step.items()}


def as_float32(numbers):
    return list(struct.unpack("<%df" % len(numbers), struct.pack("<%df" % len(numbers), *numbers)))


def no_taps_left(daemon):
    D.wait_until(lambda: len(daemon.status()["taps"]) == 1, "the end of watch's tap", 3 * D.SLOW)


def test_jsonl_when_printed_then_equals_library():
    with D.Daemon() as daemon:
        with Watch(daemon, "--tensor", "*", "--limit", str(5 * len(FRAMES))) as watch:
            feed(daemon, FRAMES, ts=lambda i: 1000 + i)
            cases.same(watch.end(), 0, "exit code")
        got = {}
        for line in watch.out.splitlines():
            record = json.loads(line)
            cases.same((record["stream"], record["ts"]), ("pump/1", 999 + record["seq"]))
            for tensor, values in record["tensors"].items():
                got[record["layer"], tensor, record["seq"]] = as_float32(values)
        cases.same(got, expected(FRAMES))
        cases.same(watch.err, "")
        no_taps_left(daemon)


def test_csv_when_printed_then_equals_library():
    with D.Daemon() as daemon:
        with Watch(daemon, "--format", "csv", "--layer", "lstms.*,fc", "--tensor", "output,c",
                   "--limit", str(3 * len(FRAMES))) as watch:
            feed(daemon, FRAMES)
            cases.same(watch.end(), 0, "exit code")
        got = {}
        for row in csv.DictReader(io.StringIO(watch.out)):
            values = got.setdefault((row["layer"], row["tensor"], int(row["seq"])), [])
            cases.same(int(row["unit"]), len(values))
            values.append(float(row["value"]))
        cases.same({name: as_float32(values) for name, values in got.items()},
                   {name: values for name, values in expected(FRAMES).items()
                    if name[0][0] != "@" and name[1] in ("output", "c")})


def test_wrong_answer_when_made_on_purpose_then_noticed():
    with D.Daemon() as daemon:
        with Watch(daemon, "--layer", "fc", "--limit", "2") as watch:
            feed(daemon, FRAMES[:2])
            watch.end()
        values = json.loads(watch.out.splitlines()[1])["tensors"]["output"]
        assert as_float32(values) == expected(FRAMES[:2])["fc", "output", 2]
        assert as_float32(values) != expected([FRAMES[0], FRAMES[0]])["fc", "output", 2]


def test_every_when_given_then_those_timesteps_alone_and_no_holes():
    with D.Daemon() as daemon:
        with Watch(daemon, "--every", "10", "--layer", "fc", "--limit", "4") as watch:
            feed(daemon, FRAMES)
            cases.same(watch.end(), 0)
        cases.same([json.loads(line)["seq"] for line in watch.out.splitlines()], [10, 20, 30, 40])
        cases.same(watch.err, "")


def test_holes_when_there_are_then_counted():
    with D.Daemon() as daemon:
        with Watch(daemon, "--layer", "fc", "--limit", "4") as watch:
            seqs = [1, 2, 7, 9]
            feed(daemon, FRAMES[:4], seq=lambda i: seqs[i])
            cases.same(watch.end(), 0)
        cases.same(watch.err, "timesteps missing between those that came: 5\n")


def test_streams_when_selected_then_those_alone():
    with D.Daemon() as daemon:
        with Watch(daemon, "--stream", "b*,c", "--layer", "fc", "--limit", "4") as watch:
            for stream in ["a", "bb", "c", "cc"]:
                feed(daemon, FRAMES[:2], stream)
            cases.same(watch.end(), 0)
        cases.same([json.loads(line)["stream"] for line in watch.out.splitlines()],
                   ["bb", "bb", "c", "c"])


def test_duration_when_over_then_ends():
    with D.Daemon() as daemon:
        done = celltap.run("watch", "--duration", "0.3", "--control", daemon.url("control"))
        cases.same((done.out, done.err), ("", ""))
        no_taps_left(daemon)


def test_reader_when_gone_then_ends_quietly():
    with D.Daemon() as daemon:
        with Watch(daemon, "--layer", "fc") as watch:
            feed(daemon, FRAMES[:1])
            watch.process.stdout.readline()
            watch.process.stdout.close()
            feed(daemon, FRAMES[1:])
            cases.same(watch.process.wait(celltap.TIMEOUT_S), 0)
            cases.same(watch.process.stderr.read(), b"")
        no_taps_left(daemon)


def test_output_when_it_cannot_be_written_then_said():
    with D.Daemon() as daemon, open("/dev/full", "w", encoding="ascii") as full, \
            Watch(daemon, stdout=full) as watch:
        feed(daemon, FRAMES)
        cases.same(watch.end(), 1)
        assert "cannot write the output" in watch.err, watch.err


def test_layer_when_no_model_has_it_then_said_and_waited_for():
    with D.Daemon() as daemon:
        for option, words in (("--layer", "no layer of any model is `nix`; there are "),
                              ("--tensor", "no tensor of any model is `nix`; there are ")):
            with Watch(daemon, option, "nix", "--duration", "0.1") as watch:
                cases.same(watch.end(), 0)
                assert words in watch.err and watch.err.count("\n") == 1, watch.err
        with Watch(daemon, "--layer", "lstms.*,f?", "--duration", "0.1") as watch:
            cases.same((watch.end(), watch.err), (0, ""))


def test_signal_when_it_comes_then_tap_is_closed_and_the_signal_passed_on():
    with D.Daemon() as daemon:
        for number in [signal.SIGINT, signal.SIGTERM]:
            with Watch(daemon) as watch:
                watch.process.send_signal(number)
                cases.same(watch.end(), -number)
            no_taps_left(daemon)


def test_daemon_when_gone_then_said():
    with D.Daemon() as daemon:
        with Watch(daemon) as watch:
            daemon.signal(signal.SIGKILL)
            daemon.wait_end()
            cases.same(watch.end(), 1)
            cases.same(watch.err, "celltap: the daemon has gone\n")


cases.run(globals())
