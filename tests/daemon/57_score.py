#!/usr/bin/python3
"""57_score.py - this proves that score judges every row by what came before, and says so in csv.

The verdicts themselves are the library's and tested there; here: rows, options, sidecars, the
reservoir's file, and what is said when something is wrong.
"""
import math
import os
import random
import stat
import subprocess
import sys
import tempfile

import onnx

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D

N, JUMP = 700, 600


def write(directory, n=N, jump=JUMP, name="data.csv"):
    """A day's wave each 48 rows, with noise, and a jump."""
    noise = random.Random(1)
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write("timestamp,value\n")
        for i in range(n):
            value = 50 + 9 * math.sin(i / 7.6) + noise.random() + (60 if i == jump else 0)
            file.write("%d,%r\n" % (1500000000 + 1800 * i, value))
    return path


def table(text):
    """The head, and the rows as lists of numbers."""
    head, *lines = text.splitlines()
    return head, [[float(cell) for cell in line.split(",")] for line in lines]


def score(*arguments, **more):
    return celltap.run("score", "builtin:reservoir", *arguments, **more)


def test_score_when_a_value_jumps_then_its_row_is_an_alarm():
    with tempfile.TemporaryDirectory() as directory:
        head, rows = table(score(write(directory), "--warmup", "200", "--clock", "day").out)
        cases.same(head, "seq,ts,score,g,level,alarm", "columns")
        cases.same(len(rows), N, "rows")
        cases.same([rows[9][0], rows[9][1]], [10.0, 1500016200e9], "seq and ts")
        assert all(row[2:] == [0, 0, 0, 0] for row in rows[:200]), "no scores in the warm-up"
        assert all(row[3] > 0 for row in rows[220:]), "every row has its g afterwards"
        assert rows[JUMP][2] >= 5 and rows[JUMP][5] == 1, rows[JUMP]


def test_score_when_level_is_lower_then_more_rows_are_alarms():
    with tempfile.TemporaryDirectory() as directory:
        data, n_alarms, highest = write(directory), [], []
        for options in (("--level", "0,0"), ("--level", "2,0"), ("--level", "0.5,0"),
                        ("--level", "2,0", "--smooth", "50")):
            rows = table(score(data, "--warmup", "200", *options).out)[1]
            n_alarms.append(sum(row[5] for row in rows))
            highest.append(max(row[4] for row in rows))
        assert highest[0] == 0 < highest[1] and n_alarms[1] < n_alarms[2], (highest, n_alarms)
        assert highest[3] < highest[1] and abs(4 * highest[1] - highest[2]) < 1e-6, highest


def test_score_when_means_have_a_range_then_a_low_hour_is_found():
    with tempfile.TemporaryDirectory() as directory:
        data = os.path.join(directory, "low.csv")
        with open(write(directory), encoding="utf-8") as file:
            lines = file.read().splitlines()
        low = ["%s,41" % line.split(",")[0] for line in lines[-60:]]  # no value is new
        with open(data, "w", encoding="utf-8") as file:
            file.write("\n".join(lines[:-60] + low) + "\n")
        plain, ranged = ([row[3] for row in table(score(data, "--warmup", "200", "--range-smooth",
                                                        steps).out)[1]] for steps in ("1", "20"))
        assert all(a <= b for a, b in zip(plain, ranged)), "a range took something away"
        assert any(a < 2.7 and b > 3 for a, b in zip(plain[-60:], ranged[-60:])), ranged[-60:]


def test_score_when_history_is_the_warmups_then_the_first_score_is_calm():
    with tempfile.TemporaryDirectory() as directory:
        data = write(directory)
        first = [table(score(data, "--warmup", "200", "--history", which).out)[1][200][3]
                 for which in ("auto", "warmup", "calm")]
        assert first[0] == first[1] < 1.5 < 2.3 < first[2], first


def test_score_when_rows_follow_then_earlier_scores_stay():
    with tempfile.TemporaryDirectory() as directory:
        whole = score(write(directory), "--warmup", "200").out
        part = score(write(directory, n=500, name="part.csv"), "--warmup", "200").out
        assert whole.startswith(part), "a look ahead"


def test_score_when_saved_and_loaded_then_there_is_no_warmup():
    with tempfile.TemporaryDirectory() as directory:
        data, sidecar = write(directory), os.path.join(directory, "sidecar")
        out = os.path.join(directory, "scores.csv")
        said = score(data, "--warmup", "200", "--save", sidecar, "-o", out).out
        assert said.startswith(out + ": 700 timesteps, "), said
        rows = table(score(data, "--load", sidecar).out)[1]
        assert all(row[3] == 0 for row in rows[:20]) and all(row[3] > 0 for row in rows[25:])
        cases.same(sorted(os.listdir(directory)), ["data.csv", "scores.csv", "sidecar"], "files")
        with open(sidecar, "r+b") as file:
            file.truncate(os.path.getsize(sidecar) - 1)
        assert "not whole" in score(data, "--load", sidecar, check=1).err


def test_score_when_what_is_loaded_was_learnt_otherwise_then_what_differs_is_told():
    with tempfile.TemporaryDirectory() as directory:
        data, sidecar = write(directory), os.path.join(directory, "sidecar")
        three = os.path.join(directory, "three.onnx")
        celltap.run("reservoir", "-o", three, "--channels", "3")
        celltap.run("score", three, data, "--columns", "value", "--clock", "day", "--warmup",
                    "200", "--save", sidecar, "-o", os.path.join(directory, "scores.csv"))
        def told(*arguments):
            err = celltap.run("score", *arguments, "--load", sidecar, check=1).err
            assert len(err.splitlines()) == 1 and "--load " + sidecar in err, err
            return err
        wide = os.path.join(directory, "wide.csv")
        with open(data, encoding="ascii") as file, open(wide, "w", encoding="ascii") as out:
            for line in file:
                out.write(",".join([line.strip()] + line.strip().split(",")[1:] * 3) + "\n")
        assert "with clock day, not none" in told(three, wide, "--columns", "2,3,4")
        assert "with scale learn, not none" in told(three, data, "--columns", "value", "--clock",
                                                    "day", "--scale", "none")
        err = told("builtin:reservoir", data)
        assert "another model" in err and "clock day, not none" in err, err
        with open(sidecar, "r+b") as file:
            file.seek(50)
            file.write(b"\7")
        assert "not whole" in told(three, data, "--columns", "value", "--clock", "day")
        with open(sidecar, "wb") as file:
            file.write(b"x" * 5000)
        assert "not what celltap score" in told(three, data, "--columns", "value", "--clock",
                                                     "day")


def test_reservoir_when_written_then_scores_like_the_builtin_one():
    with tempfile.TemporaryDirectory() as directory:
        data, model = write(directory), os.path.join(directory, "r.onnx")
        celltap.run("reservoir", "-o", model, "--channels", "3", "--units", "24")
        onnx.checker.check_model(onnx.load(model))
        options = ("--warmup", "200", "--clock", "day")
        cases.same(celltap.run("score", model, data, *options).out,
                   score(data, "--units", "24", *options).out, "scores")


def test_output_when_it_is_a_pipe_a_link_or_stdout_then_it_stays_what_it_is():
    with tempfile.TemporaryDirectory() as directory:
        data, pipe = write(directory, n=100), os.path.join(directory, "pipe")
        plain = score(data, "--warmup", "50").out
        for stdout in ("-", "/dev/stdout"):
            cases.same(score(data, "--warmup", "50", "-o", stdout).out, plain, stdout)
        os.mkfifo(pipe)
        process = celltap.start("score", "builtin:reservoir", data, "--warmup", "50", "-o", pipe,
                                stdout=subprocess.DEVNULL)
        with open(pipe, encoding="ascii") as file:
            cases.same(file.read(), plain, "through the pipe")
        cases.same(process.wait(celltap.TIMEOUT_S), 0, "exit code")
        assert stat.S_ISFIFO(os.stat(pipe).st_mode), "the pipe was replaced"
        link, real = os.path.join(directory, "link"), os.path.join(directory, "real")
        with open(real, "w", encoding="ascii"):
            os.symlink("real", link)
        score(data, "--warmup", "50", "-o", link)
        with open(real, encoding="ascii") as file:
            cases.same(file.read(), plain, "where the link leads to")
        assert os.path.islink(link), "the link was replaced"
        assert "Is a directory" in score(data, "-o", directory, check=1).err
        cases.same(sorted(os.listdir(directory)), ["data.csv", "link", "pipe", "real"])


def test_score_when_nobody_reads_on_then_that_is_no_failure():
    with tempfile.TemporaryDirectory() as directory:
        data, sidecar = write(directory, n=3000), os.path.join(directory, "s")
        for options in ((), ("--save", sidecar)):
            process = celltap.start("score", "builtin:reservoir", data, "--warmup", "50", *options,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.close()
            with process:
                cases.same(process.stderr.read(), b"", "told")
            cases.same(process.returncode, 0, "exit code")
        assert os.path.exists(sidecar), "what was learnt is saved all the same"


def test_score_when_cells_are_missing_then_every_row_is_judged():
    with tempfile.TemporaryDirectory() as directory:
        path = write(directory)
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
        for i in range(30, N, 17):
            lines[i] = lines[i].split(",")[0] + ",nan"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        rows = table(score(path, "--warmup", "200").out)[1]
        cases.same(len(rows), N, "rows")
        assert all(math.isfinite(cell) for row in rows for cell in row)


def test_score_when_something_is_wrong_then_says_what():
    with tempfile.TemporaryDirectory() as directory:
        data = write(directory, n=100)
        out = os.path.join(directory, "out.csv")
        for words, arguments in (
                ("fewer than the warm-up", (data, "-o", out)),
                ("no column with the time", (data, "--time", "none", "--columns", "value",
                                             "--clock", "day")),
                ("warmup is 5", (data, "--warmup", "5")),
                ("warmup is 10000001; it can be 32 to 10000000", (data, "--warmup", "10000001")),
                ("--units 1 to 1024", (data, "--units", "1025")),
                ("1,5,10", (data, "--horizons", "1;2")),
                ("no output of 2 values", (data, "--horizons", "1,2")),
                ("as in 2,1.5", (data, "--level", "2")),
                ("level_error is -1", (data, "--level", "2,-1")),
                ("smooth is 0.5", (data, "--smooth", "0.5")),
                ("range_smooth is 0.5", (data, "--range-smooth", "0.5")),
                ("no output y", (data, "--forecast", "y")),
                ("nothing to save", (data, "--save", out))):
            done = score(*arguments, check=None)
            assert words in done.err and done.err.count("\n") <= 2, (words, done.err)
        os.remove(out)
        cases.same(os.listdir(directory), ["data.csv"], "left behind")
        done = celltap.run("score", D.MODEL, data, check=1)
        assert "1 column" in done.err and "--columns" in done.err, done.err
        assert "-o FILE" in celltap.run("reservoir", check=2).err


if __name__ == "__main__":
    cases.run(globals())
