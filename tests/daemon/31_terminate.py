#!/usr/bin/python3
"""31_terminate.py - this proves that SIGTERM under load loses nothing that was acknowledged.

What has arrived is stepped and published, subscribers get it, systemd is told, the exit code is 0 and
no socket is left behind.  A second SIGTERM ends at once.
"""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp


class Producer(threading.Thread):
    """Sends frames to a REP ingest until the daemon is gone; counts what was acknowledged."""

    def __init__(self, daemon, stream, window, under_way):
        super().__init__(daemon=True)
        self.req = sp.Req(daemon.url("ack"))
        self.stream, self.window, self.under_way = stream, window, under_way
        self.acknowledged = 0

    def run(self):
        n_sent = 0
        try:
            while True:
                self.window.acquire()
                n = 1 + n_sent % 40
                self.req.ask(b"".join(D.frame(self.stream, [i, 1, 2], seq=n_sent + i + 1)
                                      for i in range(n)))
                n_sent += n
                self.acknowledged += D.msgpack.unpackb(self.req.answer()[1])["accepted"]
                if self.acknowledged > 2000:
                    self.under_way.set()
        except (OSError, EOFError):
            pass


def read_all(sub, seqs, windows):
    """Everything until the daemon closes the connection."""
    try:
        while True:
            for record in D.split(sub.receive())[1]:
                seqs.setdefault((record["stream"], record["layer"]), []).append(record["seq"])
            for window in windows:  # a turn has at most one request of each producer
                window.release()
    except (EOFError, OSError):
        pass


def test_sigterm_when_under_load_then_subscribers_got_all_that_was_acknowledged():
    for attempt in range(3):
        with D.Daemon(start=False) as daemon:
            daemon.write(daemon.default(taps=[{"name": "all", "listen": [daemon.url("all")],
                                               "tensors": ["*"], "group": "tap"}]))
            daemon.start()
            windows = [threading.Semaphore(100) for _ in range(3)]
            under_way = threading.Event()
            sub = daemon.subscribe(daemon.url("all"))
            producers = [Producer(daemon, "s%d" % i, window, under_way)
                         for i, window in enumerate(windows)]
            seqs = {}
            reader = threading.Thread(target=read_all, args=(sub, seqs, windows), daemon=True)
            for thread in producers + [reader]:
                thread.start()
            assert under_way.wait(D.TIMEOUT_S)
            cases.same(daemon.terminate(), 0)
            for thread in producers + [reader]:
                thread.join(D.TIMEOUT_S)
            cases.same(len(seqs), 3 * 5, "streams by layers")
            for producer in producers:
                for (stream, layer), got in seqs.items():
                    if stream == producer.stream:
                        assert got == list(range(1, len(got) + 1)), "a hole in " + layer
                        assert len(got) >= producer.acknowledged > 0, \
                            (attempt, layer, len(got), producer.acknowledged)
            assert "STOPPING=1" in daemon.notifications()
            left = [name for name in os.listdir(daemon.directory) if ".ipc" in name]
            cases.same(left, [], "sockets left behind")


def test_sigterm_when_frames_were_pushed_then_they_are_published_before_the_end():
    with D.Daemon() as daemon:
        sub = daemon.subscribe(daemon.url("all"))
        seqs = {}
        reader = threading.Thread(target=read_all, args=(sub, seqs, []), daemon=True)
        reader.start()
        push = sp.Push(daemon.url("ingest"))
        for i in range(500):
            push.send(b"".join(D.frame("s", [i, j, 0]) for j in range(4)))
        cases.same(daemon.terminate(), 0)
        reader.join(D.TIMEOUT_S)
        cases.same({layer: got for (_, layer), got in seqs.items()},
                   {layer: list(range(1, 2001))
                    for layer in ("@input", "lstms.0", "lstms.1", "fc", "@output")})


def test_signals_when_idle_then_each_ends_it_with_0():
    for number in (signal.SIGTERM, signal.SIGINT):
        with D.Daemon() as daemon:
            daemon.signal(number)
            cases.same(daemon.wait_end(), 0)


def test_sigterm_when_it_comes_twice_then_at_once():
    with D.Daemon() as daemon:
        sub = daemon.subscribe(daemon.url("all"))  # reads nothing: the first would wait for it
        with sp.Req(daemon.url("ack")) as req:
            for _ in range(20):
                D.feed(req, [D.frame("s", [1, 2, 3])] * 1000)
        daemon.signal(signal.SIGTERM)
        daemon.wait_log("ending")
        daemon.signal(signal.SIGTERM)
        cases.same(daemon.wait_end(), 0)
        assert "ending at once" in daemon.log()
        sub.close()


cases.run(globals())
