#!/usr/bin/python3
"""43_journal_kills.py - this proves that kill -9 at any moment loses no acknowledged frame.

A producer sends over REP and sends again what was not acknowledged, while the daemon is killed at
random moments and started again.  Afterwards every acknowledged frame is in the journal, each once,
and every record of the whole run - those that a subscriber got, and all by replay - has the bits of
an uninterrupted run.  $CELLTAP_KILLS: how many (12).
"""
import os
import random
import struct
import sys
import threading
import time

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import journal as J
import library
import sp

KILLS = int(os.environ.get("CELLTAP_KILLS", "12"))
STREAMS = ("a", "b/1", "c.2")
BATCH = 7  # frames of each stream in a message


def values(stream, seq):
    rng = random.Random("%s %d" % (stream, seq))
    return [struct.unpack("<f", struct.pack("<f", rng.uniform(-2, 2)))[0] for _ in range(3)]


class Producer(threading.Thread):
    """Sends until it is told to stop; `acknowledged` is the last seq of all streams that is."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.acknowledged, self.stopping, self.error = url, 0, False, None

    def run(self):
        try:
            while not self.stopping:
                self.send_some()
        except Exception as error:  # shown by the test
            self.error = error

    def send_some(self):
        try:
            with sp.Req(self.url, 2.0) as req:
                while not self.stopping:
                    seqs = range(self.acknowledged + 1, self.acknowledged + BATCH + 1)
                    reply = msgpack.unpackb(req.request(b"".join(
                        D.frame(stream, values(stream, seq), seq=seq)
                        for seq in seqs for stream in STREAMS)))
                    assert reply["accepted"] + reply["duplicate"] == BATCH * len(STREAMS), reply
                    self.acknowledged += BATCH
        except (OSError, EOFError, TimeoutError):
            pass


class Subscriber(threading.Thread):
    """All records that come, whatever the daemon does."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.stopping, self.got = url, False, []

    def run(self):
        while not self.stopping:
            try:
                with sp.Sub(self.url, 1.0) as sub:
                    while not self.stopping:
                        self.got += D.split(sub.receive())[1]
            except (OSError, EOFError, TimeoutError):
                pass


def check_records(got, expected):
    seen = set()
    for record in got:
        steps = expected[record["stream"]]
        for tensor, data in record["tensors"].items():
            cases.same(data, steps[record["seq"] - 1][record["layer"], tensor],
                       (record["stream"], record["seq"]))
        seen.add((record["stream"], record["seq"]))
    return seen


def check_replay(journal, network, n):
    for stream in STREAMS:
        got = library_replay(journal, stream, n)
        for i, step in enumerate(network.run([values(stream, seq) for seq in range(1, n + 1)])):
            for name, data in step.items():
                cases.same(got[name][i], data, (stream, i + 1, name))


def library_replay(journal, stream, n):
    import tempfile
    import numpy
    with tempfile.TemporaryDirectory() as out:
        celltap.run("replay", stream, "1..%d" % n, "--journal", journal, "-o", out)
        return {(layer, name[:-4]): [row.tobytes() for row in
                                     numpy.load(os.path.join(out, layer, name))]
                for layer in os.listdir(out) for name in os.listdir(os.path.join(out, layer))}


def killed(sync, n_kills):
    rng = random.Random(n_kills)
    with D.Daemon(start=False) as daemon:
        config = daemon.default(journal={"sync": sync, "sync_interval_ms": 5, "snapshot_every": 100,
                                         "segment_bytes": 16384})
        daemon.write(config)
        daemon.start()
        journal = os.path.join(daemon.directory, "journal")
        producer = Producer(daemon.url("ack"))
        subscriber = Subscriber(daemon.url("all"))
        producer.start()
        subscriber.start()
        for _ in range(n_kills):
            before = producer.acknowledged
            D.wait_until(lambda: producer.acknowledged > before or producer.error, "a reply")
            time.sleep(rng.uniform(0, 0.05))  # the moment is what is tried
            if rng.random() < 0.5:
                daemon.control("snapshot")
            daemon.process.kill()
            daemon.process.wait()
            daemon.notify.close()
            daemon.start(wait=False)
        producer.stopping = True
        producer.join()
        assert producer.error is None, producer.error
        daemon.wait_notified("READY=1")
        seqs = {s["stream"]: s["seq"] for s in daemon.control("streams")["streams"]}
        cases.same(daemon.terminate(), 0)
        subscriber.stopping = True
        subscriber.join()
        last = producer.acknowledged
        in_journal = {stream: [] for stream in STREAMS}
        for entry in J.read(journal):
            cases.same(entry["values"], struct.pack("<3f", *values(entry["stream"], entry["seq"])))
            in_journal[entry["stream"]].append(entry["seq"])
        for stream in STREAMS:
            assert len(in_journal[stream]) >= last, (stream, last)
            cases.same(in_journal[stream], list(range(1, len(in_journal[stream]) + 1)))
            cases.same(seqs[stream], len(in_journal[stream]))
        network = library.Network(D.MODEL)
        n = min(map(len, in_journal.values()))
        expected = {stream: list(network.run([values(stream, seq)
                                              for seq in range(1, seqs[stream] + 1)]))
                    for stream in STREAMS}
        n_seen = len(check_records(subscriber.got, expected))
        assert n_seen > 0
        check_replay(journal, network, n)
        print("%s: %d kills, %d frames acknowledged, %d in the journal, %d seen live"
              % (sync, n_kills, last * len(STREAMS), sum(map(len, in_journal.values())), n_seen))


def test_killed_when_every_frame_is_synced_then_nothing_is_lost():
    killed("always", KILLS // 3)


def test_killed_when_synced_now_and_then_then_nothing_is_lost():
    killed("interval", KILLS - 2 * (KILLS // 3))


def test_killed_when_never_synced_then_nothing_is_lost():
    killed("off", KILLS // 3)


def test_wrong_bits_when_made_on_purpose_then_noticed():
    network = library.Network(D.MODEL)
    expected = {"a": list(network.run([values("a", 1)]))}
    layer, tensor = next(iter(expected["a"][0]))
    data = bytearray(expected["a"][0][layer, tensor])
    data[0] ^= 1
    try:
        check_records([{"stream": "a", "seq": 1, "layer": layer,
                        "tensors": {tensor: bytes(data)}}], expected)
    except AssertionError:
        return
    raise AssertionError("a wrong bit was not noticed")


if __name__ == "__main__":
    cases.run(globals())
