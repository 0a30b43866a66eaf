#!/usr/bin/python3
"""53_feed.py - this proves that feed brings every row in, once, and says so when it could not.

What subscribers get of a file that was fed equals what extract writes of it, bit for bit; rows from
a pipe go at once; the end of the command loses nothing; with --ack nothing is lost or applied twice
when the daemon dies in between.
"""
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D


def write(directory, n, name="data.csv", first=0):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write("time;a;b;c\n")
        for i in range(first, first + n):
            file.write("%d.5;%.4f;%.4f;%d\n" % (i, math.sin(i * 0.1), math.cos(i * 0.07), i % 3))
    return path


def by_tensor(sub, n):
    """The next n records of a tap as {(layer, tensor): float32 [seqs, units]}, with seqs checked."""
    seqs, parts = {}, {}
    for _, record in D.records(sub, n):
        seqs.setdefault(record["layer"], []).append(record["seq"])
        for tensor, values in record["tensors"].items():
            parts.setdefault((record["layer"], tensor), []).append(values)
    for layer, got in seqs.items():
        cases.same(got, list(range(1, len(got) + 1)), "seqs of " + layer)
    return {name: b"".join(values) for name, values in parts.items()}


def equals_extract(got, path):
    with tempfile.TemporaryDirectory() as directory:
        celltap.run("extract", D.MODEL, path, "-o", directory)
        for (layer, tensor), values in got.items():
            want = numpy.load(os.path.join(directory, layer, tensor + ".npy"))
            assert want.tobytes() == values, (layer, tensor)


def test_file_when_fed_then_records_equal_extract():
    for more in [["--dial", "ingest"], ["--dial", "ack", "--ack"],
                 ["--dial", "ingest", "--rate", "4000"]]:
        with D.Daemon(start=False) as daemon, tempfile.TemporaryDirectory() as directory:
            # One message a turn: nobody reads until the end, and a subscriber's queue has an end.
            daemon.write(daemon.default(taps=[{"name": "all", "listen": [daemon.url("all")],
                                               "tensors": ["*"], "group": "tap"}]))
            daemon.start()
            path, url = write(directory, 2000), daemon.url(more[1])
            # Read along: a tap keeps fewer messages than a paced feed may make.
            with daemon.subscribe(daemon.url("all")) as sub, ThreadPoolExecutor(1) as pool:
                reading = pool.submit(by_tensor, sub, 2000 * 5)
                done = celltap.run("feed", path, "--dial", url, "--stream", "pump/1", *more[2:])
                assert done.out.startswith("pump/1: 2,000 frames in "), done.out
                got = reading.result()
            equals_extract(got, path)
            stream = daemon.control("streams")["streams"][0]
            cases.same((stream["seq"], stream["ts"]), (2000, 1999500000000))


def test_wrong_answer_when_made_on_purpose_then_noticed():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        with daemon.subscribe(daemon.url("all")) as sub:
            celltap.run("feed", write(directory, 20), "--dial", daemon.url("ingest"), "--stream=s")
            got = by_tensor(sub, 20 * 5)
        try:
            equals_extract(got, write(directory, 20, first=1))
        except AssertionError:
            return
        raise AssertionError("other rows were not noticed")


def test_command_when_at_its_end_then_has_left_nothing_behind():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        path = write(directory, 7)
        for _ in range(60):
            celltap.run("feed", path, "--dial", daemon.url("ingest"), "--stream", "s")
        daemon.wait_accepted(60 * 7)


def test_rows_when_from_a_pipe_then_go_at_once():
    with D.Daemon() as daemon:
        process = celltap.start("feed", "-", "--dial", daemon.url("ingest"), "--stream", "s",
                                "--header", "no", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for n in range(1, 6):
            process.stdin.write(b"1,2,%d\r\n" % n)
            process.stdin.flush()
            daemon.wait_accepted(n)
        cases.same(process.poll(), None)
        process.communicate(timeout=celltap.TIMEOUT_S)
        cases.same(process.returncode, 0)


def test_rate_when_given_then_kept():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        celltap.run("feed", write(directory, 101), "--dial", daemon.url("ingest"), "--stream=s",
                    "--rate", "200")
        took = time.monotonic() - began
        assert 0.5 <= took < 0.5 * D.SLOW + 1.5, took


def test_seq_when_acknowledged_then_a_file_fed_twice_is_applied_once():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        feed = ["feed", write(directory, 300), "--dial", daemon.url("ack"), "--stream=s", "--ack"]
        assert "300 accepted, 0 duplicate, 0 rejected" in celltap.run(*feed).out
        done = celltap.run(*feed)
        assert "0 accepted, 300 duplicate, 0 rejected" in done.out, done.out
        assert "--seq START" in done.err, done.err
        done = celltap.run(*feed, "--seq", "301")
        assert "300 accepted, 0 duplicate, 0 rejected" in done.out, done.out
        cases.same(daemon.control("streams")["streams"][0]["seq"], 600)


def test_socket_when_of_another_kind_then_said():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        feed = ["feed", write(directory, 3), "--stream=s", "--timeout=0.5", "--dial"]
        done = celltap.run(*feed, daemon.url("ack"), check=1)
        assert "no ingest of the kind pull; for one of the kind rep say --ack" in done.err, done.err
        done = celltap.run(*feed, daemon.url("ingest"), "--ack", check=1)
        assert "nor an ingest of the kind rep" in done.err, done.err


def test_reset_when_asked_for_then_states_start_afresh():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        path = write(directory, 10)
        with daemon.subscribe(daemon.url("all")) as sub:
            for _ in range(2):
                celltap.run("feed", path, "--dial", daemon.url("ingest"), "--stream=s", "--reset")
            got = by_tensor(sub, 20 * 5)
        for name, values in got.items():
            cases.same(values[:len(values) // 2], values[len(values) // 2:], name)


def test_frames_when_rejected_then_counted_shown_and_exit_code_1():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        config = daemon.default(models=[{"name": "m", "file": D.MODEL, "streams": ["*"],
                                         "missing": "reject"}])
        daemon.write(config)
        daemon.control("reload")
        path = os.path.join(directory, "holes.csv")
        with open(path, "w", encoding="ascii") as file:
            file.write("a,b,c\n" + "1,2,3\n" * 3 + "1,,3\n" * 9 + "1,2,3\n")
        done = celltap.run("feed", path, "--dial", daemon.url("ack"), "--stream=s", "--ack",
                           check=1)
        assert "4 accepted, 0 duplicate, 9 rejected" in done.out, done.out
        cases.same(re.findall(r"seq (\d+) was rejected: .", done.err), list("45678"))


def test_cell_when_bad_then_rows_before_it_are_in():
    with D.Daemon() as daemon:
        done = celltap.run("feed", "-", "--dial", daemon.url("ingest"), "--stream", "s", check=1,
                           stdin="a,b,c\n1,2,3\n4,5,6\n7,acht,9\n10,11,12\n")
        assert 'stdin:4:3: column 2 (b): "acht" is not a number' in done.err, done.err
        daemon.wait_accepted(2)
        cases.same(daemon.status()["accepted"], 2)


def test_daemon_when_not_there_then_waited_for_with_a_message():
    with D.Daemon(start=False) as daemon:
        arguments = ["feed", "-", "--dial", daemon.url("ingest"), "--stream", "s"]
        done = celltap.run(*arguments, "--timeout", "0.3", stdin="1,2,3\n", check=1)
        assert done.err.startswith("waiting for a daemon at ipc://"), done.err
        assert "start it: celltapd" in done.err, done.err
        process = celltap.start(*arguments, "--timeout", "60", stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        process.stdin.write(b"1,2,3\n")
        process.stdin.close()
        assert b"waiting" in process.stderr.readline()
        daemon.start()
        daemon.wait_accepted(1)
        cases.same(process.wait(celltap.TIMEOUT_S), 0)
        process.stderr.close()


def test_daemon_when_killed_meanwhile_then_all_rows_are_acknowledged_by_one_of_two():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        process = celltap.start("feed", write(directory, 3000), "--dial", daemon.url("ack"),
                                "--stream=s", "--ack", "--rate", "2000", "--timeout", "60",
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        daemon.wait_accepted(200)
        daemon.signal(signal.SIGKILL)
        daemon.wait_end()
        daemon.start()
        out = process.communicate(timeout=celltap.TIMEOUT_S)[0].decode()
        cases.same(process.returncode, 0, out)
        assert "3,000 frames" in out and "3,000 accepted, 0 duplicate, 0 rejected" in out, out
        cases.same(daemon.control("streams")["streams"][0]["seq"], 3000)


def test_daemon_when_killed_without_ack_then_said():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        process = celltap.start("feed", write(directory, 3000), "--dial", daemon.url("ingest"),
                                "--stream=s", "--rate", "2000", "--timeout", "60",
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        daemon.wait_accepted(200)
        daemon.signal(signal.SIGKILL)
        daemon.wait_end()
        daemon.start()
        err = process.communicate(timeout=celltap.TIMEOUT_S)[1].decode()
        assert process.returncode == 1 and "frames may be missing; use --ack" in err, err


def test_socket_when_not_of_its_kind_then_said():
    with D.Daemon() as daemon:
        done = celltap.run("feed", "-", "--dial", daemon.url("control"), "--stream", "s", "--ack",
                           stdin="1,2,3\n", check=1)
        assert "control.ipc" in done.err and done.err.count("\n") == 1, done.err
        for url in ["nonsense", "ipc://", "tcp://nowhere.invalid:1"]:
            done = celltap.run("feed", "-", "--dial", url, "--stream", "s", "--timeout", "0.2",
                               stdin="1,2,3\n", check=1)
            assert done.err.startswith("celltap: ") or "waiting" in done.err, done.err


def test_signal_when_it_comes_then_ends_by_it():
    with D.Daemon() as daemon, tempfile.TemporaryDirectory() as directory:
        process = celltap.start("feed", write(directory, 3000), "--dial", daemon.url("ingest"),
                                "--stream=s", "--rate", "20", stdout=subprocess.PIPE)
        daemon.wait_accepted(1)
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=celltap.TIMEOUT_S)[0].decode()
        cases.same(process.returncode, -signal.SIGINT)
        assert out.startswith("s: "), out


cases.run(globals())
