#!/usr/bin/python3
"""37_threads.py - this proves that threads change nothing but the time it takes.

With 1, 2 and 4 threads: the same bits, each stream's records in order, the same counts; a reload and a
reset reach every thread; SIGTERM under load loses nothing that was acknowledged.
"""
import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

N_STREAMS = 120
N_STEPS = 30
THREADS = (1, 2, 4)


def start(n_threads, **more):
    daemon = D.Daemon(start=False)
    taps = [{"name": "all", "listen": [daemon.url("all")], "tensors": ["*"], "group": "stream",
             "queue": 8192},  # more than there are frames: a reader that is slow loses nothing
            {"name": "one", "listen": [daemon.url("one")], "tensors": ["c"], "group": "tap"}]
    daemon.write(daemon.default(**dict({"threads": n_threads, "taps": taps}, **more)))
    daemon.start()
    return daemon


def play(seed):
    """Messages of frames of many streams, each stream's in order; [{stream: values}]."""
    source = random.Random(seed)
    waiting = [name for name in ("plant/%d" % i for i in range(N_STREAMS)) for _ in range(N_STEPS)]
    source.shuffle(waiting)
    frames, taken = [], {}
    for name in waiting:
        seq = taken[name] = taken.get(name, 0) + 1
        values = [source.uniform(-2, 2) for _ in range(3)]
        frames.append((name, seq, values))
    messages = []
    while frames:
        n = source.choice((1, 3, 200, 500))
        messages.append(frames[:n])
        frames = frames[n:]
    return messages


class Reader(threading.Thread):
    """Every record of a tap: {(stream, layer): [(seq, tensors), ...]} as they came."""

    def __init__(self, sub, n_frames=None):
        super().__init__(daemon=True)
        self.sub, self.got, self.n, self.n_wanted = sub, {}, 0, n_frames
        self.start()

    def run(self):
        try:
            while self.n_wanted is None or self.n < self.n_wanted:
                for record in D.split(self.sub.receive())[1]:
                    self.got.setdefault((record["stream"], record["layer"]), []).append(
                        (record["seq"], record["tensors"]))
                    self.n += 1
        except (OSError, EOFError):
            pass


def outcome(n_threads, messages, n_layers):
    """What a daemon makes of the messages: records by tap, replies, counts."""
    n_frames = sum(len(frames) for frames in messages)
    with start(n_threads) as daemon, sp.Req(daemon.url("ack")) as req, \
            daemon.subscribe(daemon.url("all")) as every, \
            daemon.subscribe(daemon.url("one")) as one:
        readers = Reader(every, n_frames * n_layers), Reader(one, n_frames * 2)
        replies = [D.feed(req, [D.frame(name, values, seq=seq)  # its first once more, and a bad one
                                for name, seq, values in frames + frames[:1]] +
                          [D.frame("plant/1", [1])]) for frames in messages]
        for reader in readers:
            reader.join(D.TIMEOUT_S)
            assert not reader.is_alive(), "%d records" % reader.n
        status = daemon.status()
        counts = {key: status[key] for key in ("accepted", "duplicate", "gaps", "rejected",
                                               "rejects", "streams")}
        counts["model"] = status["models"][0]["streams"]
        counts["records"] = [tap["records"] for tap in status["taps"]]
        streams = [{key: stream[key] for key in stream if key != "ts"}
                   for stream in daemon.control("streams", limit=1000)["streams"]]
        n_tasks = len(os.listdir("/proc/%d/task" % daemon.process.pid))
    return [reader.got for reader in readers], replies, counts, streams, n_tasks


def test_records_when_1_2_and_4_threads_then_the_same_bits_in_order_and_the_same_counts():
    messages = play("threads")
    network = library.Network(D.MODEL)
    n_layers = len({name[0] for name, *_ in network.tensors})
    first = outcome(1, messages, n_layers)
    for stream in ("plant/0", "plant/7"):  # and that they are right: as the library has them
        mine = [values for frames in messages for name, _, values in frames if name == stream]
        for seq, tensors in enumerate(network.run(mine), 1):
            for (layer, tensor), values in tensors.items():
                shown = first[0][0][stream, layer][seq - 1]
                cases.same((shown[0], shown[1][tensor]), (seq, values), "%s %s" % (layer, tensor))
    for n_threads in THREADS[1:]:
        other = outcome(n_threads, messages, n_layers)
        for mine, theirs in zip(first[0], other[0]):
            cases.same(set(theirs), set(mine), "streams and layers")
            for key in mine:
                assert theirs[key] == mine[key], "%s differs with %d threads" % (key, n_threads)
        cases.same(other[1:4], first[1:4], "%d threads" % n_threads)
        cases.same(other[4] - first[4], n_threads - 1, "threads of the daemon")


def test_records_when_one_value_is_another_then_the_comparison_notices():
    messages = play("wrong")[:20]
    right = outcome(2, messages, 5)
    name, seq, values = messages[-1][-1]
    messages[-1][-1] = name, seq, [values[0], values[1], values[2] + 1e-6]
    wrong = outcome(2, messages, 5)
    assert [key for key in right[0][0] if wrong[0][0][key] != right[0][0][key]] == [
        (name, layer) for _, layer in right[0][0] if _ == name]


def test_reset_and_reload_when_4_threads_then_every_stream_follows():
    names = ["s/%d" % i for i in range(64)]
    frames = [D.frame(name, [1, 2, 3]) for name in names]
    network = library.Network(D.MODEL)
    once, twice = network.run([[1, 2, 3]] * 2)
    with start(4) as daemon, sp.Req(daemon.url("ack")) as req, \
            daemon.subscribe(daemon.url("all")) as sub:
        def last(layer="lstms.1"):
            """What the next frames of all streams show."""
            reader = Reader(sub, len(names) * 5)
            D.feed(req, frames)
            reader.join(D.TIMEOUT_S)
            return {name: reader.got[name, layer][0][1]["c"] for name in names}
        cases.same(set(last().values()), {once["lstms.1", "c"]})
        cases.same(set(last().values()), {twice["lstms.1", "c"]})
        for name in names:
            cases.same(daemon.control("reset", stream=name), {"ok": True})
        cases.same(set(last().values()), {once["lstms.1", "c"]}, "after the reset")
        more = {"taps": [{"name": "all", "listen": [daemon.url("all")], "tensors": ["*"],
                          "group": "layer", "queue": 8192}]}
        daemon.write(daemon.default(threads=4, **more))
        assert "64 go on" in daemon.control("reload")["changes"][0]
        cases.same(set(last().values()), {twice["lstms.1", "c"]}, "states go on after the reload")
        daemon.write(daemon.default(threads=2, **more))
        error = daemon.control("reload")["error"]
        assert "`threads` cannot change from 4 to 2 while running; restart" in error, error
        cases.same(daemon.status()["taps"][0]["records"], 4 * 64 * 5)


class Producer(threading.Thread):
    """Sends frames of many streams until the daemon is gone; counts what was acknowledged."""

    def __init__(self, daemon, ix, under_way):
        super().__init__(daemon=True)
        self.req, self.ix, self.under_way = sp.Req(daemon.url("ack")), ix, under_way
        self.acknowledged = {}
        self.start()

    def run(self):
        seq = 0
        try:
            while True:
                seq += 1
                names = ["p%d/%d" % (self.ix, i) for i in range(100)]
                cases.same(D.feed(self.req, [D.frame(name, [seq, 1, 2], seq=seq)
                                             for name in names])["accepted"], 100)
                self.acknowledged.update(dict.fromkeys(names, seq))
                if seq == 20:
                    self.under_way.release()
        except (OSError, EOFError):
            pass


def test_sigterm_when_4_threads_are_under_load_then_all_that_was_acknowledged_is_published():
    tap = {"tensors": ["output"], "layers": ["fc"], "group": "tap", "queue": 8192}
    with start(4) as daemon:
        taps = [dict(tap, name="all", listen=[daemon.url("fc")])]
        daemon.write(daemon.default(threads=4, taps=taps))
        daemon.control("reload")
        with daemon.subscribe(daemon.url("fc")) as sub:
            reader, under_way = Reader(sub), threading.Semaphore(0)
            producers = [Producer(daemon, i, under_way) for i in range(3)]
            for _ in producers:
                assert under_way.acquire(timeout=D.TIMEOUT_S)
            daemon.signal(signal.SIGTERM)
            cases.same(daemon.wait_end(), 0)
            for thread in [reader, *producers]:
                thread.join(D.TIMEOUT_S)
                assert not thread.is_alive()
        for producer in producers:
            for name, seq in producer.acknowledged.items():
                seqs = [record[0] for record in reader.got[name, "fc"]]
                cases.same(seqs, list(range(1, len(seqs) + 1)), name)
                assert len(seqs) >= seq, (name, len(seqs), seq)


cases.run(globals())
