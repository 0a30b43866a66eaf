#!/usr/bin/python3
"""41_replay.py - this proves that any past timestep comes again, bit for bit.

By seq and by time, from a running daemon's journal and from one at rest, across segments, snapshots,
resets, ends of the daemon and a change of the model, in every kernel; what is not held any more is
said; a wrong value would be noticed.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import journal as J
import library
import sp

OTHER = os.path.join(os.path.dirname(D.MODEL), "small2.onnx")
MS = 1000000


def values(n, seed):
    rng = random.Random(seed)
    return [[struct.unpack("<f", struct.pack("<f", rng.uniform(-2, 2)))[0] for _ in range(3)]
            for _ in range(n)]


def replay(stream, span, journal, *more, check=0, kernel=None):
    """{(layer, tensor): float32 [T, n]}, or the error's line.  journal: its directory, or the URL
    of the daemon's control."""
    with tempfile.TemporaryDirectory() as out:
        environment = dict(os.environ, CELLTAP_KERNEL=kernel) if kernel else None
        of = ("--control" if "://" in journal else "--journal", journal)
        done = subprocess.run([os.path.join(D.BUILD, "celltap"), "replay", stream, span,
                               *of, "-o", out, *more], env=environment,
                              capture_output=True, text=True, timeout=D.TIMEOUT_S, check=False)
        cases.same(done.returncode, check, done.stderr)
        if check:
            cases.same(os.listdir(out), [], "nothing appears")
            return done.stderr
        return {(layer, name[:-4]): numpy.load(os.path.join(out, layer, name))
                for layer in os.listdir(out) for name in os.listdir(os.path.join(out, layer))}


def same(got, steps):
    for name, array in got.items():
        cases.same(array.tobytes(), b"".join(step[name] for step in steps), name)
        cases.same(array.shape[0], len(steps), name)


def run(network, frames, resets=()):
    """All steps of one stream, which starts afresh at some."""
    stream, steps = network.stream(), []
    for i, frame in enumerate(frames):
        if i in resets:
            network.reset(stream)
        steps.append(network.step(stream, frame))
    return steps


def started(**journal):
    daemon = D.Daemon(start=False)
    daemon.config = daemon.default(journal=journal)
    daemon.write(daemon.config)
    daemon.start()
    return daemon, os.path.join(daemon.directory, "journal")


def restart(daemon):
    daemon.process.kill()
    daemon.process.wait()
    daemon.notify.close()
    daemon.start()


def test_any_range_when_replayed_then_the_bits_that_were():
    daemon, journal = started(segment_bytes=4096, snapshot_every=50)
    with daemon:
        network, data, noise = library.Network(D.MODEL), values(300, 1), values(300, 2)
        steps = run(network, data, resets=(150,))
        for part in range(0, 300, 100):
            with sp.Req(daemon.url("ack")) as req:
                for i in range(part, part + 100):
                    D.feed(req, [D.frame("noise", noise[i]),
                                 D.frame("s/1", data[i], ts=i * MS, reset=i == 150)])
            daemon.control("snapshot")
            D.wait_until(lambda: daemon.status()["journal"]["snapshots"], "a snapshot")
            same(replay("s/1", "%d..%d" % (part + 5, part + 90), journal),
                 steps[part + 4:part + 90])
            restart(daemon)
        assert len(J.names(journal, "seg")) > 5 and len(J.names(journal, "snap")) >= 3
        for first, last in ((1, 300), (1, 1), (300, 300), (99, 102), (149, 152), (201, 250)):
            same(replay("s/1", "%d..%d" % (first, last), journal), steps[first - 1:last])
        same(replay("s/1", "..20", journal), steps[:20])
        same(replay("s/1", "290..", journal, kernel="plain"), steps[289:])
        same(replay("s/1", "1970-01-01T00:00:00.1..1970-01-01T00:00:00.12", journal),
             steps[100:121])
        same(replay("noise", "1..300", journal), run(network, noise))
        got = replay("s/1", "5..9", journal, "--layer", "fc")
        cases.same(set(got), {("fc", "output")})
        wrong = dict(got)
        wrong["fc", "output"] = wrong["fc", "output"] + numpy.float32(1e-6)
        try:
            same(wrong, steps[4:9])
        except AssertionError:
            pass
        else:
            raise AssertionError("a wrong value was not noticed")
        assert "no timestep of s/1 in 400..500" in replay("s/1", "400..500", journal, check=1)
        assert "no timestep of x" in replay("x", "1..2", journal, check=1)
        assert "is no range" in replay("s/1", "5-9", journal, check=2)
        assert "ends before it begins" in replay("s/1", "9..5", journal, check=2)


def by_control(daemon, **more):
    """All slices: {seq: {(layer, tensor): bytes}}, and how many slices there were."""
    steps, n, cursor = {}, 0, None
    while True:
        reply = daemon.control("replay", **dict(more, **({"cursor": cursor} if cursor else {})))
        assert "error" not in reply, reply
        n += 1
        for record in D.split(b"\0" + reply["records"])[1]:
            for tensor, data in record["tensors"].items():
                steps.setdefault(record["seq"], {})[record["layer"], tensor] = data
        cursor = reply["cursor"]
        if cursor is None:
            return steps, n


def test_replay_when_asked_through_control_then_in_slices_while_frames_go_on():
    daemon, journal = started(segment_bytes=65536, snapshot_every=500)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data = values(4000, 8)
        for at in range(0, 4000, 100):
            D.feed(req, [D.frame("s", frame) for frame in data[at:at + 100]])
        steps = run(library.Network(D.MODEL), data)
        got, n = by_control(daemon, stream="s")
        cases.same(sorted(got), list(range(1, 4001)))
        assert n > 1, "more than a reply holds"
        for seq, step in got.items():
            cases.same(step, steps[seq - 1], seq)
        D.feed(req, [D.frame("s", data[0])])
        got, _ = by_control(daemon, stream="s", **{"from": 3000, "to": 3002}, layers=["fc"],
                            tensors=["output"])
        cases.same(got, {seq: {("fc", "output"): steps[seq - 1]["fc", "output"]}
                         for seq in (3000, 3001, 3002)})
        assert "missing" in daemon.control("replay")["error"]
        cases.same({seq for seq in by_control(daemon, stream="s", every=1000)[0]},
                   {1000, 2000, 3000, 4000})
        reply = daemon.control("replay", stream="s", **{"from": 7}, limit=2)
        cases.same({r["seq"] for r in D.split(b"\0" + reply["records"])[1]}, {7, 8})
        cases.same((reply["cursor"], reply["model"]), (9, "%016x" % J.hash_of(model_file())))
        assert "`from_ts`" in daemon.control("replay", stream="s", from_ts="x")["error"]
        reply = daemon.control("replay", stream="nobody")
        cases.same((reply["cursor"], reply["records"]), (None, b""))
        assert os.path.isdir(journal)


def model_file():
    with open(D.MODEL, "rb") as file:
        return file.read()


def test_range_when_it_has_no_end_then_goes_on_with_what_has_come_since():
    daemon, _ = started(segment_bytes=4096, sync_interval_ms=5)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data, first = values(120, 11), 1
        steps = run(library.Network(D.MODEL), data)
        for at in range(0, 120, 6):
            D.feed(req, [D.frame("s", frame) for frame in data[at:at + 6]])
            got, _ = by_control(daemon, stream="s", **{"from": first})
            cases.same(sorted(got), list(range(first, at + 7)))
            for seq, step in got.items():
                cases.same(step, steps[seq - 1], seq)
            first = max(got) + 1


def test_clients_when_they_take_turns_then_each_has_its_own_range():
    daemon, _ = started(snapshot_every=100)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data = values(700, 12)
        D.feed(req, [D.frame("s", frame) for frame in data])
        steps = run(library.Network(D.MODEL), data)
        cursors = {first: first for first in range(1, 701, 100)}  # more than are kept open
        while cursors:
            for first, cursor in list(cursors.items()):
                reply = daemon.control("replay", stream="s", limit=30, cursor=cursor, to=first + 99,
                                       layers=["fc"], **{"from": first})
                records = D.split(b"\0" + reply["records"])[1]
                # A slice also ends after some time.
                n = 30 if reply["cursor"] is None else reply["cursor"] - cursor
                assert n <= 30, (cursor, reply["cursor"])
                cases.same([r["seq"] for r in records],
                           list(range(cursor, min(cursor + n, first + 100))))
                for record in records:
                    cases.same(record["tensors"]["output"], steps[record["seq"] - 1]["fc", "output"])
                cursors[first] = reply["cursor"]
                if cursors[first] is None:
                    del cursors[first]


def test_command_when_it_asks_the_daemon_then_the_same_files():
    daemon, journal = started(segment_bytes=65536, snapshot_every=500)
    with daemon, sp.Req(daemon.url("ack")) as req:
        control, data = daemon.url("control"), values(3000, 13)
        for at in range(0, 3000, 100):
            D.feed(req, [D.frame("s", frame, ts=(at + i) * MS)
                         for i, frame in enumerate(data[at:at + 100])])
        steps = run(library.Network(D.MODEL), data)
        same(replay("s", "..", control), steps)
        same(replay("s", "2990..", control), steps[2989:])
        same(replay("s", "1970-01-01T00:00:01..1970-01-01T00:00:02", control), steps[1000:2001])
        same(replay("s", "1970-01-01T00:00:02.9..", control), steps[2900:])
        for more in ((), ("--layer", "lstm*", "--tensor", "c,o"), ("--layer", "@*,fc"),
                     ("--tensor", "output")):
            near, far = (replay("s", "700..900", where, *more) for where in (journal, control))
            cases.same(list(near), list(far), more)
            for name, array in near.items():
                cases.same(array.tobytes(), far[name].tobytes(), name)
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("csv", "jsonl"):
                texts = []
                for where in (("--journal", journal), ("--control", control)):
                    out = os.path.join(folder, kind + where[0])
                    celltap.run("replay", "s", "700..720", *where, "-o", out, "--format", kind)
                    texts.append({os.path.relpath(os.path.join(at, name), out):
                                  open(os.path.join(at, name), "rb").read()
                                  for at, _, names in os.walk(out) for name in names})
                assert texts[0] and texts[0] == texts[1], kind
        for span, more in (("9000..", ()), ("1..2", ("--layer", "nope")),
                           ("1..2", ("--layer", "fc", "--tensor", "h"))):
            near, far = (replay("s", span, where, *more, check=1) for where in (journal, control))
            cases.same(near.replace(journal, ""), far.replace("the daemon's journal", ""))
        error = replay("s", "1..2", "ipc://%s/nobody.ipc" % daemon.directory, check=1)
        assert "--journal DIR" in error, error


def test_example_when_records_are_lost_then_fills_the_holes():
    sys.path.insert(0, os.path.join(D.ROOT, "examples"))
    import subscriber
    daemon, _ = started(snapshot_every=20)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data = values(60, 9)
        sub = daemon.subscribe(daemon.url("all"))
        for frame in data:
            D.feed(req, [D.frame("s", frame)])
        live = [(topic, record) for topic, record in
                (pair for _ in range(300) for pair in subscriber.records(sub.receive()))]
        some = [pair for pair in live
                if pair[1]["seq"] in (1, 60) or hash((pair[1]["seq"], pair[0])) % 3 == 0]
        assert len(some) < len(live)
        steps = run(library.Network(D.MODEL), data)
        filled = {}
        for _, record in subscriber.lossless(daemon.url("control"), some):
            filled.setdefault(record["layer"], []).append(record["seq"])
            for tensor, array in record["tensors"].items():
                cases.same(array.tobytes(), steps[record["seq"] - 1][record["layer"], tensor])
        for layer, seqs in filled.items():
            cases.same(seqs, list(range(1, 61)), layer)
        sub.close()


def test_states_when_no_snapshot_is_whole_then_from_the_reset_or_said():
    daemon, journal = started(segment_bytes=4096)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data = values(300, 3)
        steps = run(library.Network(D.MODEL), data, resets=(200,))
        for i, frame in enumerate(data):
            D.feed(req, [D.frame("s", frame, reset=i == 200)])
        os.unlink(J.path(journal, J.names(journal, "seg")[0], "seg"))
        error = replay("s", "150..250", journal, check=1)
        assert "can be replayed from seq 201 on" in error, error
        same(replay("s", "210..250", journal), steps[209:250])
        cases.same(daemon.control("replay", stream="s", **{"from": 150})["from"], 201)
        restart_error = subprocess.run(
            [os.path.join(D.BUILD, "celltap"), "journal", "verify", "--journal", journal],
            capture_output=True, text=True, check=False)
        cases.same(restart_error.returncode, 0, restart_error.stderr)
        daemon.process.kill()  # its end would be another snapshot
        daemon.process.wait()


def test_states_when_let_go_then_from_the_oldest_snapshot_on():
    daemon, journal = started(segment_bytes=4096)
    with daemon, sp.Req(daemon.url("ack")) as req:
        data = values(300, 14)
        steps = run(library.Network(D.MODEL), data)
        D.feed(req, [D.frame("silent", data[0])])
        for i, frame in enumerate(data):
            D.feed(req, [D.frame("s", frame)])
            if i == 199:
                daemon.control("snapshot")
                D.wait_until(lambda: daemon.status()["journal"]["snapshots"], "a snapshot")
        os.unlink(J.path(journal, J.names(journal, "seg")[0], "seg"))
        for where in (journal, daemon.url("control")):
            error = replay("s", "150..250", where, check=1)
            assert "can be replayed from seq 201 on" in error, error
            for stream, bounds in (("s", "150..180"), ("s", "1..3"), ("silent", "1..1")):
                error = replay(stream, bounds, where, check=1)
                assert stream + " has not started afresh since" in error, error
            same(replay("s", "201..250", where), steps[200:250])
        cases.same(daemon.control("replay", stream="s", **{"from": 150})["from"], 201)


def test_model_when_changed_by_a_reload_then_each_epoch_with_its_own():
    daemon, journal = started()
    with daemon:
        first, second = library.Network(D.MODEL), library.Network(OTHER)
        assert first.n_values == 3
        data, later = values(20, 4), [(values(1, 50 + i)[0] * 4)[:second.n_values]
                                      for i in range(20)]
        with sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame("s", frame) for frame in data])
            daemon.config["models"][0]["file"] = OTHER
            daemon.write(daemon.config)
            assert daemon.control("reload").get("ok"), daemon.log()
            cases.same(D.feed(req, [D.frame("s", frame) for frame in later])["accepted"], 20)
        same(replay("s", "5..20", journal), run(first, data)[4:])
        same(replay("s", "21..40", journal), run(second, later))
        for where in (journal, daemon.url("control")):
            same(replay("s", "20..20", where), run(first, data)[19:])
            error = replay("s", "15..25", where, check=1)
            assert "model changes at seq 21; replay 15..20 and 21.. apart" in error, error


def test_lines_when_a_detector_has_changed_then_bear_the_layers_names():
    daemon, journal = started()
    with daemon, sp.Req(daemon.url("ack")) as req, tempfile.TemporaryDirectory() as folder:
        for seq, detector in ((1, {"warmup": 32}), (41, "none"), (101, {"warmup": 50})):
            daemon.config["models"] = [{"name": "any", "file": "builtin:reservoir", "units": 8,
                                        "detector": detector}]
            daemon.write(daemon.config)
            assert daemon.control("reload").get("ok"), daemon.log()
            D.feed(req, [D.frame("s", x, seq=seq + i) for i, x in enumerate(values(40, seq))])
        lines = []  # names of a model that is gone: for certain seen by the address sanitizer alone
        for where in (("--journal", journal), ("--control", daemon.url("control"))):
            celltap.run("replay", "s", "..", "-o", folder, "--format", "jsonl", *where)
            with open(os.path.join(folder, "activations.jsonl"), encoding="utf-8") as file:
                lines.append([json.loads(line) for line in file])
        cases.same(len(lines[0]), 120)
        names = [layer["name"] for layer in daemon.control("model")["layers"]]
        assert all(list(line["layers"]) == names for line in lines[0]), lines[0][-1]
        cases.same(lines[0], lines[1])


def test_stream_when_gone_and_come_again_then_both_lives_are_held():
    daemon, journal = started(segment_bytes=4096)
    with daemon, sp.Req(daemon.url("ack")) as req:
        models = daemon.config["models"]
        data, network = values(30, 21), library.Network(D.MODEL)

        def feed(stream, frames, seq=1):
            n = daemon.status()["journal"]["snapshots"]
            D.feed(req, [D.frame(stream, x, seq=seq + i) for i, x in enumerate(frames)])
            daemon.control("snapshot")
            D.wait_until(lambda: daemon.status()["journal"]["snapshots"] > n, "a snapshot")

        def change(streams):
            daemon.config["models"] = [dict(models[0], streams=streams)]
            daemon.write(daemon.config)
            assert daemon.control("reload").get("ok"), daemon.log()

        D.feed(req, [D.frame("short", data[0])])  # which no snapshot has
        change(["other", "s"])
        feed("other", data)
        feed("s", data[:20])
        change(["other"])
        feed("other", data, seq=31)
        change(["*"])
        feed("s", data, seq=101)
        feed("short", data, seq=2)
        for where in (journal, daemon.url("control")):
            same(replay("s", "..", where), run(network, data[:20]) + run(network, data))
            same(replay("short", "1..1", where), run(network, data[:1]))
            same(replay("s", "5..9", where), run(network, data[:9])[4:])
            same(replay("s", "105..", where), run(network, data)[4:])


def test_other_model_when_given_then_old_frames_through_it_and_the_difference():
    daemon, journal = started(snapshot_every=10)
    with daemon, sp.Req(daemon.url("ack")) as req, tempfile.TemporaryDirectory() as folder:
        data = values(60, 5)
        D.feed(req, [D.frame("s", frame) for frame in data])
        same(replay("s", "30..40", journal, "--model", D.MODEL),
             run(library.Network(D.MODEL), data)[29:40])
        text = celltap.run("replay", "s", "30..40", "--control", daemon.url("control"), "--model",
                           D.MODEL, "--diff").out  # the daemon says where its journal is
        rows = [line.split() for line in text.splitlines()[1:-1]]
        assert rows and all(row[2] == "0" and row[4] == "0" for row in rows), text
        with open(D.MODEL, "rb") as file:
            model = bytearray(file.read())
        at = model.index(struct.pack("<f", library_weight(model)))
        model[at:at + 4] = struct.pack("<f", library_weight(model) + 0.25)
        path = os.path.join(folder, "changed.onnx")
        with open(path, "wb") as file:
            file.write(model)
        changed = run(library.Network(path), data)[29:40]
        own = run(library.Network(D.MODEL), data)[29:40]
        text = celltap.run("replay", "s", "30..40", "--journal", journal, "--model", path,
                           "--diff").out
        rows = {(row[0], row[1]): row for row in map(str.split, text.splitlines()[1:-1])}
        for name in own[0]:
            a = numpy.stack([numpy.frombuffer(step[name], "<f4") for step in own])
            b = numpy.stack([numpy.frombuffer(step[name], "<f4") for step in changed])
            off = numpy.abs(a.astype("f8") - b)
            assert abs(float(rows[name][2]) - off.max()) <= 1e-5 * max(1e-9, off.max()), name
            assert abs(float(rows[name][4]) - off.mean()) <= 1e-5 * max(1e-9, off.mean()), name


def library_weight(model):
    """A weight of the small network, found in its file."""
    import onnx
    from onnx import numpy_helper
    graph = onnx.load_from_string(bytes(model)).graph
    arrays = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    weights = [array for array in arrays if array.dtype == numpy.float32 and array.size > 20]
    return float(weights[0].ravel()[3])


def test_journal_command_when_asked_then_lists_verifies_exports():
    daemon, journal = started(snapshot_every=10)
    with daemon, sp.Req(daemon.url("ack")) as req, tempfile.TemporaryDirectory() as folder:
        data = values(30, 6)
        D.feed(req, [D.frame("s", frame, ts=i) for i, frame in enumerate(data)])
        D.feed(req, [D.frame("t", data[0], seq=7)])
        text = celltap.run("journal", "ls", "--journal", journal).out
        rows = [line.split() for line in text.splitlines()[1:-1]]
        cases.same([(row[0], row[2:]) for row in rows],
                   [("s", ["1", "30", "30"]), ("t", ["7", "7", "1"])])
        assert "31 entries" in celltap.run("journal", "verify", "--journal", journal).out
        path = os.path.join(folder, "s.csv")
        celltap.run("journal", "export", "s", "--journal", journal, "-o", path)
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
        cases.same(lines[0], "seq,ts,reset,v0,v1,v2")
        for i, line in enumerate(lines[1:]):
            cells = line.split(",")
            cases.same(cells[:3], [str(i + 1), str(i), str(int(i == 0))])
            cases.same(numpy.array(cells[3:], "f4").tolist(), data[i])
        cases.same(len(lines), 31)
        celltap.run("journal", "export", "nobody", "--journal", journal, "-o", path, check=1)
        with open(path, encoding="ascii") as file:
            cases.same(len(file.read().splitlines()), 31, "a failed export leaves what was there")
        done = celltap.run("journal", "verify", "--cut", "--journal", journal, check=0)
        assert done.err == "", "a whole journal needs no cut, nor the lock"


if __name__ == "__main__":
    cases.run(globals())
