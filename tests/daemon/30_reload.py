#!/usr/bin/python3
"""30_reload.py - this proves that a reload applies the whole new configuration or nothing of it.

Streams of unchanged models go on as they are, those of changed ones start afresh, subscribers and
producers of what stays keep their connections; a reload that fails says everything that is wrong and
leaves models, taps and listeners as they were.
"""
import copy
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

MODEL2 = D.MODEL.replace("small.onnx", "small2.onnx")
FRAMES = [[0.1 * t, 1.0 - t, t % 3] for t in range(12)]
N_LAYERS = 5


class Rig:
    def __init__(self):
        self.daemon = D.Daemon(start=False)
        self.file = os.path.join(self.daemon.directory, "model.onnx")
        shutil.copy(D.MODEL, self.file)
        self.config = self.daemon.default(
            models=[{"name": "mine", "file": self.file, "streams": ["mine/*"]},
                    {"name": "rest", "file": D.MODEL, "streams": ["*"]}])
        self.daemon.write(self.config)
        self.daemon.start()

    def __enter__(self):
        self.daemon.__enter__()
        self.sub = self.daemon.subscribe(self.daemon.url("all"))
        self.req = sp.Req(self.daemon.url("ack"))
        return self

    def __exit__(self, *raised):
        self.sub.close()
        self.req.close()
        self.daemon.__exit__(*raised)

    def step(self, t, *streams):
        """One frame of each stream; {stream: (seq, {(layer, tensor): bytes})}."""
        reply = D.feed(self.req, [D.frame(s, FRAMES[t]) for s in streams])
        cases.same(reply["accepted"], len(streams), reply)
        got = {}
        for _, r in D.records(self.sub, len(streams) * N_LAYERS):
            tensors = got.setdefault(r["stream"], (r["seq"], {}))[1]
            for tensor, values in r["tensors"].items():
                tensors[r["layer"], tensor] = values
        return got

    def reload(self, **changes):
        config = copy.deepcopy(self.config)
        config.update(changes)
        self.daemon.write(config)
        return self.daemon.control("reload")


def fresh(path, frames):
    """What the last of these frames gives on a fresh stream."""
    return list(library.Network(path).run(frames))[-1]


def test_reload_when_nothing_has_changed_then_streams_and_connections_go_on():
    with Rig() as rig:
        for t in range(4):
            rig.step(t, "mine/1", "x")
        for t in range(4, 8):
            cases.same(rig.reload()["ok"], True)
            got = rig.step(t, "mine/1", "x")
            for stream in ("mine/1", "x"):
                cases.same(got[stream], (t + 1, fresh(D.MODEL, FRAMES[:t + 1])), stream)
        cases.same(rig.daemon.status()["listeners_reopened"], 0)


def test_reload_when_a_model_file_has_changed_then_its_streams_alone_start_afresh():
    with Rig() as rig:
        for t in range(3):
            rig.step(t, "mine/1", "x")
        shutil.copy(MODEL2, rig.file)
        reply = rig.reload()
        assert "1 go on, 1 start afresh, 0 gone" in reply["changes"][0], reply
        got = rig.step(3, "mine/1", "x")
        cases.same(got["x"], (4, fresh(D.MODEL, FRAMES[:4])))
        cases.same(got["mine/1"], (4, fresh(MODEL2, FRAMES[3:4])), "afresh, and seq goes on")


def test_reload_when_a_model_is_gone_then_its_streams_are_too():
    with Rig() as rig:
        rig.step(0, "mine/1", "x", "y")
        reply = rig.reload(models=[rig.config["models"][0]])
        assert "1 go on, 0 start afresh, 2 gone" in reply["changes"][0], reply
        status = rig.daemon.status()
        cases.same((status["streams"], [m["name"] for m in status["models"]]), (1, ["mine"]))
        reply = D.feed(rig.req, [D.frame("x", FRAMES[0])])
        cases.same(reply["rejected"], 1)
        cases.same(rig.step(1, "mine/1")["mine/1"], (2, fresh(D.MODEL, FRAMES[:2])))


def test_reload_when_another_model_takes_a_stream_then_it_starts_afresh_there():
    with Rig() as rig:
        rig.step(0, "mine/1", "x")
        models = [{"name": "new", "file": MODEL2, "streams": ["x"]}] + rig.config["models"]
        rig.reload(models=models)
        got = rig.step(1, "mine/1", "x")
        cases.same(got["x"], (2, fresh(MODEL2, FRAMES[1:2])))
        cases.same(got["mine/1"], (2, fresh(D.MODEL, FRAMES[:2])), "its place has changed only")


def test_reload_when_streams_join_those_of_an_unchanged_model_then_both_are_stepped():
    with Rig() as rig:
        rig.step(0, "mine/1", "x")
        reply = rig.reload(models=rig.config["models"][1:])
        assert "1 go on, 1 start afresh, 0 gone" in reply["changes"][0], reply
        for t in range(1, 4):
            got = rig.step(t, "x", "mine/1", "y")
            cases.same(got["x"], (t + 1, fresh(D.MODEL, FRAMES[:t + 1])))
            cases.same(got["mine/1"], (t + 1, fresh(D.MODEL, FRAMES[1:t + 1])))


def test_reload_when_a_tap_changes_then_its_subscribers_get_the_new_selection():
    with Rig() as rig:
        rig.step(0, "x")
        tap = {"name": "all", "listen": [rig.daemon.url("all"), rig.daemon.url("also")],
               "tensors": ["c"], "group": "stream"}
        more = {"name": "more", "listen": [rig.daemon.url("more")], "tensors": ["h"]}
        cases.same(rig.reload(taps=[tap, more])["ok"], True)
        also, third = rig.daemon.subscribe(rig.daemon.url("also")), \
            rig.daemon.subscribe(rig.daemon.url("more"))
        D.feed(rig.req, [D.frame("x", FRAMES[1])])
        for sub in (rig.sub, also):
            cases.same([(topic, list(r["tensors"])) for topic, r in D.records(sub, 2)],
                       [("all/x/", ["c"])] * 2)
        cases.same({tuple(r["tensors"]) for _, r in D.records(third, 2)}, {("h",)})
        rig.reload(taps=[tap])
        try:
            third.receive()
            raise AssertionError("a tap that is gone still has its subscribers")
        except EOFError:
            pass
        assert not os.path.exists(rig.daemon.url("more")[len("ipc://"):])
        also.close()


def test_reload_when_a_queue_changes_then_subscribers_come_back_to_a_new_socket():
    with Rig() as rig:
        for queue in (64, 8192, 16):
            rig.reload(taps=[{"name": "all", "listen": [rig.daemon.url("all")], "tensors": ["*"],
                              "queue": queue}])
            try:
                rig.sub.receive()
                raise AssertionError("the old socket lives")
            except EOFError:
                rig.sub.close()
            rig.sub = rig.daemon.subscribe(rig.daemon.url("all"))
            rig.step(0, "x")


def test_reload_when_taps_are_open_by_request_then_they_live_on():
    with Rig() as rig:
        opened = rig.daemon.control("tap.open", tensors=["h"], layers=["lstms.*"])
        with rig.daemon.subscribe(opened["url"]) as sub:
            rig.reload(models=[{"name": "other", "file": MODEL2, "streams": ["*"]}])
            D.feed(rig.req, [D.frame("x", FRAMES[0])])
            cases.same({topic for topic, _ in D.records(sub, 2)},
                       {opened["name"] + "/x/lstms.0/", opened["name"] + "/x/lstms.1/"})


def test_reload_when_ingest_changes_then_old_producers_of_what_stays_go_on():
    with Rig() as rig:
        url = rig.daemon.url
        push = sp.Push(url("ingest"))
        push.send(D.frame("x", FRAMES[0]))
        rig.daemon.wait_accepted(1)
        rig.reload(ingest=[{"socket": "rep", "listen": [url("ack"), rig.daemon.tcp("ack")]},
                           {"socket": "pull", "listen": [url("second")]}])
        with sp.Req(rig.daemon.tcp("ack")) as req, sp.Push(url("second")) as second:
            cases.same(D.feed(rig.req, [D.frame("x", FRAMES[1])])["accepted"], 1)
            cases.same(D.feed(req, [D.frame("x", FRAMES[2])])["accepted"], 1)
            second.send(D.frame("x", FRAMES[3]))
            rig.daemon.wait_accepted(4)
        try:
            push.receive()
            raise AssertionError("an ingest that is gone still takes frames")
        except EOFError:
            pass
        assert not os.path.exists(url("ingest")[len("ipc://"):])


def test_reload_when_it_fails_then_everything_is_as_before_and_every_error_is_said():
    with Rig() as rig:
        rig.step(0, "mine/1", "x")
        opened = [os.listdir(rig.daemon.directory)]
        bad_file = os.path.join(rig.daemon.directory, "bad.onnx")
        with open(bad_file, "wb") as file:
            file.write(b"not a model")
        taken = os.path.join(rig.daemon.directory, "taken")
        with open(taken, "w", encoding="ascii") as file:
            file.write("a file")
        new_tap = {"name": "new", "listen": [rig.daemon.url("new")]}
        changes = [
            ({"models": [{"name": "m", "file": bad_file, "streams": ["*"]},
                         {"name": "n", "file": bad_file, "streams": ["*"]}]},
             ["model m", "model n"]),
            ({"models": [{"name": "m", "file": "/nowhere.onnx"}]}, ["/nowhere.onnx"]),
            ({"taps": [new_tap, {"name": "t2", "listen": ["ipc://" + taken]}]},
             ["taken: the path exists and is not a socket"]),
            ({"taps": [new_tap], "ingest": [{"socket": "rep", "listen": [
                rig.daemon.url("ack"), "ipc://" + taken, "ipc:///nowhere/at/all.ipc"]}]},
             ["taken: the path exists and is not a socket",
              "/nowhere/at/all.ipc: its directory does not exist; make it"]),
            ({"taps": [{"name": "t3", "listen": [rig.daemon.tcp("t3")]},
                       {"name": "t4", "listen": ["ipc:///nowhere/at/all.ipc"]}]}, ["/nowhere"]),
            ({"runtime_dir": "/tmp/elsewhere"}, ["runtime_dir"]),
            ({"modells": [], "taps": [{"name": "a", "evry": 1}]}, ["modells", "evry"]),
        ]
        for i, (change, said) in enumerate(changes, 1):
            reply = rig.reload(**change)
            cases.same(list(reply), ["error"], change)
            for words in said:
                assert words in reply["error"], (words, reply)
            for path in (rig.daemon.url("new")[len("ipc://"):], taken + "~"):
                assert not os.path.exists(path), path
            got = rig.step(i, "mine/1", "x")
            for stream in ("mine/1", "x"):
                cases.same(got[stream], (i + 1, fresh(D.MODEL, FRAMES[:i + 1])), stream)
        with open(rig.daemon.path, "w", encoding="ascii") as file:
            file.write("models: [")
        assert "error" in rig.daemon.control("reload")
        cases.same([tap["name"] for tap in rig.daemon.status()["taps"]], ["all"])
        assert opened
        with sp.Push(rig.daemon.url("ingest")) as push:
            push.send(D.frame("late", FRAMES[0]))
            rig.daemon.wait_accepted(2 * (len(changes) + 1) + 1)


def test_reload_when_by_sighup_then_the_same_and_systemd_is_told():
    with Rig() as rig:
        rig.step(0, "x")
        n_ready = rig.daemon.notifications().count("READY=1")
        rig.daemon.write(dict(rig.config, models=[{"name": "rest", "file": D.MODEL,
                                                   "streams": ["x"]}]))
        rig.daemon.signal(signal.SIGHUP)
        D.wait_until(lambda: rig.daemon.notifications().count("READY=1") > n_ready, "READY again")
        assert "RELOADING=1" in rig.daemon.notifications()
        cases.same([m["name"] for m in rig.daemon.status()["models"]], ["rest"])
        cases.same(rig.step(1, "x")["x"], (2, fresh(D.MODEL, FRAMES[:2])))
        rig.daemon.write(dict(rig.config, models=[]))
        rig.daemon.signal(signal.SIGHUP)
        rig.daemon.wait_log("the old configuration stays in use")
        cases.same(rig.step(2, "x")["x"], (3, fresh(D.MODEL, FRAMES[:3])))


def test_reload_when_repeated_under_load_then_no_frame_is_lost():
    with Rig() as rig:
        both = [rig.config["ingest"], rig.config["ingest"][1:]]
        models = [rig.config["models"], rig.config["models"][1:]]
        n = 0
        with sp.Req(rig.daemon.url("ack")) as req:
            for i in range(60):
                asked = [req.ask(b"".join(D.frame("x", FRAMES[t % 9]) for t in range(50)))
                         for _ in range(20)]
                cases.same(rig.reload(ingest=both[i % 2], models=models[i % 3 % 2])["ok"], True)
                for _ in asked:
                    n += D.msgpack.unpackb(req.answer()[1])["accepted"]
            cases.same(n, 60 * 20 * 50)
            cases.same(rig.daemon.control("streams")["streams"][0]["seq"], n)


cases.run(globals())
