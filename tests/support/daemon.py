"""daemon.py - the real daemon, run in a directory of its own, for the tests in tests/daemon/.

    with Daemon(config) as daemon:       started, READY
        push = sp.Push(daemon.url("ingest"))
        ...
    # stopped with SIGTERM, exit code 0, nothing left behind

Programs are those of $CELLTAP_BUILD (default: build); $CELLTAP_WRAP is put before the daemon's
command line (valgrind and the like).  Nothing sleeps to let things settle: it waits for an event
with a deadline.
"""
import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import msgpack

import patience
import sp

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("CELLTAP_BUILD", "build"))
SLOW, TIMEOUT_S = patience.SLOW, patience.TIMEOUT_S

# A network of 3 values: layers lstms.0 (LSTM, 5 units), lstms.1 (LSTM, 4 units), fc (Dense, 2).
MODEL = os.path.join(ROOT, "tests", "support", "small.onnx")
N_VALUES = 3


def environment(**more):
    """This program's environment for one that it runs: without what library.py has put there."""
    whole = dict(os.environ)
    if "CELLTAP_PRELOADED" in whole:
        name, _, options = whole.pop("CELLTAP_PRELOADED").partition("=")
        whole[name] = options
        whole.pop("LD_PRELOAD")
    whole.update(more)
    return whole


def wait_until(condition, what, timeout_s=TIMEOUT_S):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("waited %g s for: %s" % (timeout_s, what))
        time.sleep(0.005)


class Daemon:
    """config: the configuration as a dict without runtime_dir and state_dir, or None for one model
    for all streams, PULL and REP ingest and a tap `all` of everything."""

    def __init__(self, config=None, start=True, environment=None, program=None):
        self.directory = tempfile.mkdtemp(prefix="ct")
        self.tcp_urls = {}
        self.subscribers = {}  # url: how many the daemon had with the last of ours, ours
        self.path = os.path.join(self.directory, "celltapd.yaml")
        self.process = None
        self.environment = environment or {}
        self.program = program or os.path.join(BUILD, "celltapd")
        self.write(config if config is not None else self.default())
        if start:
            self.start()

    # ---- configuration

    def default(self, **more):
        """The default configuration, with keys replaced."""
        config = {
            "models": [{"name": "m", "file": MODEL, "streams": ["*"]}],
            "ingest": [{"socket": "pull", "listen": [self.url("ingest")]},
                       {"socket": "rep", "listen": [self.url("ack")]}],
            "taps": [{"name": "all", "listen": [self.url("all")], "tensors": ["*"]}],
        }
        config.update(more)
        return config

    def write(self, config):
        """Writes the configuration: JSON is YAML."""
        whole = {"runtime_dir": self.directory, "state_dir": self.directory,
                 "control": {"listen": [self.url("control")]}}
        whole.update(config)
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(whole, file)
        os.rename(self.path + ".new", self.path)

    def tcp(self, name):
        """A URL of this daemon's own, always the same for a name.

        The port is free and below those that the kernel gives to clients, so that no connection
        of a test can sit on it while the daemon opens it again."""
        while name not in self.tcp_urls:
            port = random.randrange(20000, 32000)
            with socket.socket() as free, contextlib.suppress(OSError):
                free.bind(("127.0.0.1", port))
                self.tcp_urls[name] = "tcp://127.0.0.1:%d" % port
        return self.tcp_urls[name]

    def url(self, name):
        return "ipc://%s/%s.ipc" % (self.directory, name)

    # ---- life

    def start(self, wait=True):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = os.path.join(self.directory, "notify")
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        self.notify.bind(notify_path)
        self.notified = []
        self.log_path = os.path.join(self.directory, "log")
        command = shlex.split(os.environ.get("CELLTAP_WRAP", "")) + [
            self.program, "--config", self.path, "--log-level", "debug"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(**{"NOTIFY_SOCKET": notify_path, **self.environment}))
        if wait:
            self.wait_notified("READY=1")

    def notifications(self):
        """What the daemon has told systemd so far, line by line."""
        self.notify.setblocking(False)
        try:
            while True:
                self.notified += self.notify.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self.notified

    def wait_notified(self, line, timeout_s=TIMEOUT_S):
        def look():
            if any(got.startswith(line) for got in self.notifications()):
                return True
            if self.process.poll() is not None:
                raise AssertionError("the daemon ended: " + self.log())
            return False
        wait_until(look, line, timeout_s)

    def log(self):
        with open(self.log_path, errors="replace", encoding="utf-8") as file:
            return file.read()

    def wait_log(self, text, timeout_s=TIMEOUT_S):
        wait_until(lambda: text in self.log(), "log line " + text, timeout_s)

    def wait_end(self, timeout_s=TIMEOUT_S):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError("the daemon does not end: " + self.log()) from None

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def signal(self, number):
        self.process.send_signal(number)

    def rss_bytes(self):
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def close(self):
        """Kills it if it still runs, and removes its directory."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if getattr(self, "notify", None) is not None:
            self.notify.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.process is not None and self.process.poll() is None:
                code = self.terminate()
                if code != 0:
                    raise AssertionError("exit code %s: %s" % (code, self.log()))
            elif kind is not None:
                sys.stderr.write(self.log() if self.process else "")
        finally:
            self.close()

    # ---- talking to it

    def control(self, cmd, **more):
        """A control request; the reply as a dict."""
        with sp.Req(self.url("control")) as req:
            return msgpack.unpackb(req.request(msgpack.packb(dict(cmd=cmd, **more))))

    def status(self):
        return self.control("status")

    def subscribe(self, url, timeout_s=TIMEOUT_S):
        """A subscriber that the daemon knows of."""
        name_of = {u: tap["name"] for tap in self.status()["taps"] for u in tap["urls"]}
        def count():
            return sum(tap["subscribers"] for tap in self.status()["taps"]
                       if tap["name"] == name_of[url])
        known, ours = self.subscribers.get(url, (0, []))
        still = [sub for sub in ours if sub.sock.fileno() >= 0]
        if len(still) < len(ours):  # one that is still to be missed would hide the new one
            wait_until(lambda: count() <= known - len(ours) + len(still), "fewer at " + url, timeout_s)
        before = count()
        sub = sp.Sub(url)
        wait_until(lambda: count() > before, "the subscriber at " + url, timeout_s)
        self.subscribers[url] = (before + 1, still + [sub])
        return sub

    def wait_accepted(self, n, timeout_s=TIMEOUT_S):
        wait_until(lambda: self.status()["accepted"] >= n, "%d frames accepted" % n, timeout_s)


def frame(stream, values, **more):
    return msgpack.packb(dict(stream=stream, values=values, **more))


def feed(req, frames):
    """Sends frames to a REP ingest; the reply as a dict."""
    return msgpack.unpackb(req.request(b"".join(frames)))


def split(message):
    """A tap's message: (topic, [record, ...])."""
    topic, _, body = message.partition(b"\0")
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(body)
    return topic.decode(), list(unpacker)


def records(sub, n):
    """The next n records as [(topic, record), ...]; fails if they come with others behind."""
    got = []
    while len(got) < n:
        topic, some = split(sub.receive())
        got += [(topic, record) for record in some]
    if len(got) != n:
        raise AssertionError("expected %d records, got %d" % (n, len(got)))
    return got
