#!/usr/bin/python3
"""47_storm.py - this proves that everything at once changes no number and breaks nothing.

Producers on three threads, taps opened and closed, subscribers that leave at any time, reloads, wrong
ones too, replays, snapshots, resets and warm-ups, with two threads of the daemon and a journal that
goes from segment to segment: what was acknowledged is counted, and every stream's steps are those of
the library.  $CELLTAP_STORM: how many times as long.
"""
import contextlib
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

ROUNDS = 10 * int(os.environ.get("CELLTAP_STORM", "1"))
PRODUCERS = 3
STREAMS = 4  # of a producer
BUILTIN = {"name": "noise", "file": "builtin:reservoir", "units": 16, "streams": ["noise/*"],
           "detector": {"warmup": 40}}


class Storm:
    def __init__(self, daemon):
        self.daemon = daemon
        self.over = threading.Event()
        self.sent = {}  # stream: [values, ...] that were acknowledged
        self.n_noise = 0
        self.faults = []

    def config(self, source):
        url = self.daemon.url
        taps = [{"name": "all", "listen": [url("all")], "queue": source.choice((64, 128)),
                 "tensors": source.choice((["*"], ["h", "c"]))},
                {"name": "found", "kind": "anomalies", "listen": [url("found")]}]
        if source.random() < 0.5:
            taps.append({"name": "more", "kind": "scores", "listen": [url("more")]})
        ingest = [{"socket": "pull", "listen": [url("ingest")]},
                  {"socket": "rep", "listen": [url("ack")] + source.choice(([], [url("ack2")]))}]
        noise = dict(BUILTIN, detector={"warmup": 40, "threshold": source.choice((3, 5))})
        return {"threads": 2, "taps": taps, "ingest": ingest,
                "journal": {"segment_bytes": 65536, "snapshot_every": 200},
                "models": [{"name": "m", "file": D.MODEL, "streams": ["s/*"]}, noise]}

    # ---- what happens at once

    def produce(self, source, i):
        names = ["s/%d/%d" % (i, k) for k in range(STREAMS)]
        with sp.Req(self.daemon.url("ack")) as req:
            while not self.over.is_set():
                some = [(source.choice(names), [source.uniform(-2, 2) for _ in range(3)])
                        for _ in range(source.choice((1, 5, 40)))]
                reply = D.feed(req, [D.frame(name, values) for name, values in some])
                cases.same((reply["accepted"], reply["rejected"]), (len(some), 0), reply)
                for name, values in some:
                    self.sent.setdefault(name, []).append(values)

    def make_noise(self, source):
        with sp.Req(self.daemon.url("ack")) as req:
            while not self.over.is_set():
                names = ["noise/%d" % source.randrange(6) for _ in range(10)]
                reply = D.feed(req, [D.frame(name, [source.gauss(0, 1)]) for name in names])
                cases.same(reply["accepted"], len(names), reply)
                self.n_noise += len(names)

    def open_taps(self, source):
        for _ in range(ROUNDS):
            opened = [self.daemon.control("tap.open", layers=["lstms.*"],
                                          every=source.choice((1, 3)))
                      for _ in range(source.choice((1, 3)))]
            for tap in opened:
                assert "url" in tap, tap
                if source.random() < 0.3:  # leaves within its handshake
                    sp.connect(tap["url"]).close()
                if source.random() < 0.7:
                    with sp.Sub(tap["url"]) as sub:
                        for _ in range(source.randrange(4)):
                            sub.receive()
                cases.same(self.daemon.control("tap.close", name=tap["name"]), {"ok": True})

    def subscribe(self, source):
        for _ in range(ROUNDS):
            with contextlib.suppress(EOFError, ConnectionError), \
                    sp.Sub(self.daemon.url("all")) as sub:  # a reload may close it
                for _ in range(source.randrange(20)):
                    sub.receive()

    def reload(self, source):
        for i in range(ROUNDS // 2):
            config = self.config(source)
            if i % 5 == 4:
                config["models"][0]["file"] = "/nowhere.onnx"
            self.daemon.write(config)
            reply = self.daemon.control("reload")
            cases.same("error" in reply, i % 5 == 4, reply)

    def replay(self, source):
        for _ in range(ROUNDS):
            stream = "s/%d/%d" % (source.randrange(PRODUCERS), source.randrange(STREAMS))
            reply = self.daemon.control("replay", stream=stream, limit=source.choice((1, 50)))
            assert "records" in reply or "error" in reply, reply

    def ask(self, source):
        for _ in range(ROUNDS * 2):
            stream = "noise/%d" % source.randrange(6)
            self.daemon.control(*source.choice((("status",), ("snapshot",), ("streams",))))
            self.daemon.control("reset", stream=stream, detector=source.random() < 0.7)

    # ---- all of it

    def thread(self, function, *more):
        def run():
            try:
                function(random.Random(function.__name__ + repr(more)), *more)
            except Exception as fault:  # the test's own thread reports it
                self.faults.append((function.__name__, repr(fault)))
                self.over.set()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def run(self):
        producers = [self.thread(self.produce, i) for i in range(PRODUCERS)]
        producers.append(self.thread(self.make_noise))
        others = [self.thread(act) for act in (self.open_taps, self.open_taps, self.subscribe,
                                               self.reload, self.replay, self.ask)]
        for thread in others:
            thread.join()
        self.over.set()
        for thread in producers:
            thread.join()
        cases.same(self.faults, [])


def last_step(daemon, stream, seq):
    """{(layer, tensor): bytes} of one timestep, as the journal gives it."""
    step, cursor = {}, {}
    while True:
        reply = daemon.control("replay", stream=stream, **{"from": seq, "to": seq}, **cursor)
        assert "error" not in reply, reply
        for record in D.split(b"\0" + reply["records"])[1]:
            step.update({(record["layer"], name): values
                         for name, values in record["tensors"].items()})
        if reply["cursor"] is None:
            return step
        cursor = {"cursor": reply["cursor"]}


def test_daemon_when_everything_happens_at_once_then_no_number_changes():
    daemon = D.Daemon(start=False)
    storm = Storm(daemon)
    daemon.write(storm.config(random.Random(0)))
    daemon.start()
    network = library.Network(D.MODEL)
    with daemon:
        storm.run()
        status = daemon.status()
        cases.same(status["accepted"], sum(map(len, storm.sent.values())) + storm.n_noise)
        cases.same((status["rejected"], status["listeners_reopened"]), (0, 0))
        assert len(storm.sent) == PRODUCERS * STREAMS, storm.sent.keys()
        for stream, sent in storm.sent.items():
            cases.same(last_step(daemon, stream, len(sent)), list(network.run(sent))[-1], stream)


cases.run(globals())
