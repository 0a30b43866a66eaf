#!/usr/bin/python3
"""demo.py - plays five minutes of a real electrocardiogram into a daemon of its own.

    ecg208.csv --celltap feed--> celltapd (demo.onnx) --activations--> counted here, one by one
                                    |  |
                                    |  +--anomalies--> kept, and told at the end
                                    +--celltap watch--> the terminal (elsewhere: plain lines)

Everything it starts lives in a directory of its own, made under BUILD/demo/ (or under the system's
directory for temporary files when that path is too long for a socket) and removed at the end, so
that several demos may run side by side.  What stays in BUILD/demo/ is the recording, a
configuration and the journal of what was played, for the commands that it suggests at the end.

Ends with 0 when every record arrived, and on Ctrl-C; with 1 and the daemon's log otherwise.
"""
import argparse
import collections
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import msgpack
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "examples"))
import findings  # noqa: E402  pylint: disable=wrong-import-position
import recording  # noqa: E402  pylint: disable=wrong-import-position
import subscriber  # noqa: E402  pylint: disable=wrong-import-position

STREAM = "ecg/208"
RATE_HZ = recording.RATE_HZ
SPEED = 15  # times as fast: 300 s of it in 20 s
N_LAYERS = 3  # that the tap publishes
SHOWN_LAYER, SHOWN_EVERY = "lstm.l1", 30 * RATE_HZ  # where there is no terminal
DEADLINE_S = 20  # for the daemon to start, to end, to deliver what is under way
SOCKET_PATH_MAX = 107  # bytes, sun_path of unix(7) without its NUL
SOCKET_NAME_MAX = 40  # bytes, of the longest name that the daemon puts behind runtime_dir


class Failed(Exception):
    """The demo cannot go on; its text says why."""


def configure(target, runtime_dir):
    """A copy of celltapd.yaml with this checkout's paths; JSON's quoting is also YAML's."""
    with open(os.path.join(HERE, "celltapd.yaml"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace("/tmp/celltap-demo", json.dumps(runtime_dir), 2)
    text = text.replace("demo.onnx", json.dumps(os.path.join(HERE, "demo.onnx")), 1)
    new = "%s.%d" % (target, os.getpid())  # two demos may start at once
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, target)


def fits(runtime_dir):
    return len(os.fsencode(runtime_dir)) + SOCKET_NAME_MAX <= SOCKET_PATH_MAX


@contextlib.contextmanager
def directory(parent):
    """A new directory for one run, gone afterwards."""
    path = tempfile.mkdtemp(prefix="run-", dir=parent)
    if not fits(path):
        os.rmdir(path)
        path = tempfile.mkdtemp(prefix="celltap-demo-", dir="/tmp")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def stop(process):
    """Ends a program as a user would, and waits; returns its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextlib.contextmanager
def started(command, **how):
    """A program that does not outlive the block, nor gets this terminal's Ctrl-C."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True,
                          **how) as process:
        try:
            yield process
        finally:
            stop(process)


def wait_ready(process, notify, log):
    """Until the daemon says READY=1, as it would to systemd; what it says later, nobody hears."""
    notify.settimeout(0.1)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                notify.close()  # unread, it would fill up and block the daemon
                return
        except socket.timeout:
            pass
    with open(log, encoding="utf-8", errors="replace") as file:
        raise Failed("celltapd did not start:\n" + file.read())


class Counter(threading.Thread):
    """Subscribes to the tap and counts: records by layer, and holes in their seq.

    show: now and then, a line on the hidden state of an LSTM."""

    def __init__(self, url, show):
        super().__init__(daemon=True)
        self.url, self.show = url, show
        self.records = collections.Counter()
        self.last_seq = {}
        self.lost = 0

    def run(self):
        for message in subscriber.messages(self.url):
            unpacker = msgpack.Unpacker(max_buffer_size=len(message))
            unpacker.feed(message.partition(b"\0")[2])
            for record in unpacker:
                layer, seq = record["layer"], record["seq"]
                self.records[layer] += 1
                self.lost += seq - self.last_seq.get(layer, 0) - 1
                self.last_seq[layer] = seq
                if self.show and layer == SHOWN_LAYER and seq % SHOWN_EVERY == 0:
                    shown(record)


    def has(self, seq):
        """True when every layer's record of a timestep has come."""
        return len(self.last_seq) == N_LAYERS and min(self.last_seq.values()) >= seq


def shown(record):
    """One line: where in the recording, and the units that are excited most."""
    h = np.frombuffer(record["tensors"]["h"], record["dtype"])
    units = np.argsort(-np.abs(h))[:5]
    print("%3d s  %s h: %s" % (record["seq"] // RATE_HZ, record["layer"],
                               "  ".join("unit %d %+.2f" % (unit, h[unit]) for unit in units)),
          flush=True)


class Demo:
    """The programs, and where they find each other."""

    def __init__(self, build, run_dir):
        self.build, self.run_dir = build, run_dir
        self.control = "ipc://%s/control.ipc" % run_dir
        self.ingest = "ipc://%s/ingest.ipc" % run_dir

    def tap(self, name):
        return "ipc://%s/%s.ipc" % (self.run_dir, name)

    def program(self, name):
        return os.path.join(self.build, name)

    def status(self):
        done = subprocess.run([self.program("celltap"), "status", "--json", "--control",
                               self.control], stdout=subprocess.PIPE, check=False,
                              timeout=DEADLINE_S)
        if done.returncode:
            raise Failed("the daemon does not answer")
        return json.loads(done.stdout)

    def wait(self, what, done):
        """Until done() is true; fails when nothing has moved for DEADLINE_S."""
        deadline = time.monotonic() + DEADLINE_S
        while not done():
            if time.monotonic() > deadline:
                raise Failed("waited %d s for %s" % (DEADLINE_S, what))
            time.sleep(0.02)

    def feed(self, rows):
        return [self.program("celltap"), "feed", rows, "--dial", self.ingest, "--stream",
                STREAM, "--time", "seconds", "--rate", str(RATE_HZ * SPEED)]

    def play(self, rows):
        """The recording, while somebody looks at it.  Returns seconds, and whether it was played to
        its end."""
        began = time.monotonic()
        if not sys.stdout.isatty():
            code = subprocess.run(self.feed(rows), stdin=subprocess.DEVNULL,
                                  check=False).returncode
        else:
            log = os.path.join(self.run_dir, "feed.log")
            with open(log, "wb") as output, started(self.feed(rows), stdout=output,
                                                    stderr=output) as feed:
                self.watch(feed)
                code = feed.poll()
        if code not in (0, None):
            raise Failed("celltap feed ended with %d" % code)
        return time.monotonic() - began, code == 0

    def watch(self, feed):
        """The live heat map, until the recording or the user's patience ends."""
        watch = subprocess.Popen([self.program("celltap"), "watch", "--control", self.control,
                                  "--layer", "lstm.*", "--tensor", "h"])
        try:
            while feed.poll() is None and watch.poll() is None:
                time.sleep(0.05)
        finally:
            stop(watch)


def summary(status, counter, seconds):
    accepted = status["accepted"]
    print()
    print("frames in     %d in %.1f s: %d frames/s, %.0f times as fast as the heart"
          % (accepted, seconds, accepted / seconds, accepted / seconds / RATE_HZ))
    print("rejected      %d" % status["rejected"])
    for layer, n in counter.records.items():
        print("records out   %-8s %d" % (layer, n))
    print("dropped       %d" % counter.lost)


def keep(journal, target):
    """The journal in the place of an earlier one."""
    part = tempfile.mkdtemp(prefix="run-", dir=os.path.dirname(target))
    try:
        shutil.move(journal, part)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(os.path.join(part, os.path.basename(journal)), target)
    except OSError:
        pass  # a demo beside this one was faster; its journal says the same
    finally:
        shutil.rmtree(part, ignore_errors=True)


class Shell:
    """Commands to try next; each works as it stands, from here."""

    def __init__(self, build, runtime_dir):
        self.runtime_dir = self.near(runtime_dir)
        self.celltap = self.quoted(os.path.join(build, "celltap"))

    @staticmethod
    def near(path):
        return os.path.relpath(path) if path.startswith(os.getcwd() + "/") else path

    def quoted(self, path):
        return shlex.quote(self.near(path))

    def url(self, name):
        return shlex.quote("ipc://%s/%s.ipc" % (self.runtime_dir, name))

    def look_again(self, record, journal, target):
        print("""
Look at it again: every unit of every layer, as it was, to files,
  {celltap} replay {stream} {first}..{last} --journal {journal} -o {target}""".format(
      celltap=self.celltap, stream=STREAM, first=record["from"], last=record["to"],
      journal=self.quoted(journal), target=self.quoted(target)))

    def suggest(self, build, config, rows):
        print("""
Try next: start a daemon and play the recording at its own pace,
  {daemon} --config {config} &
  {celltap} feed {csv} --dial {ingest} --stream {stream} --time seconds --rate {rate} &
look inside, from any program that can subscribe,
  {celltap} watch --control {control}
  {celltap} status --control {control}
  nngcat --sub --dial {tap} --subscribe {topic} --quoted --count 3
  {subscriber} {tap} --topic {topic}
write every tensor of every layer to files, with no daemon at all,
  {celltap} inspect {model}
  {celltap} extract {model} {csv} -o {states}
and stop what was started:
  kill %1 %2
""".format(daemon=self.quoted(os.path.join(build, "celltapd")), celltap=self.celltap,
           config=self.quoted(config), csv=self.quoted(rows), ingest=self.url("ingest"),
           control=self.url("control"), tap=self.url("activations"), stream=STREAM, rate=RATE_HZ,
           topic="activations/%s/lstm.l1/" % STREAM,
           subscriber=self.quoted(os.path.join(ROOT, "examples/subscriber.py")),
           model=self.quoted(os.path.join(HERE, "demo.onnx")),
           states=self.quoted(os.path.join(build, "demo", "states"))))


def play(demo, seconds):
    """The recording through a daemon that is ready, and what came of it.  Returns the record of the
    anomaly to look at again, or None."""
    counter = Counter(demo.tap("activations"), show=not sys.stdout.isatty())
    found = findings.Findings(demo.tap("anomalies"))
    for subscription in (counter, found):
        subscription.start()
    demo.wait("the taps", lambda: all(tap["subscribers"] > 0 for tap in demo.status()["taps"]))
    print("celltapd steps a two-layer LSTM, trained to forecast this heart, with every sample, and"
          "\nwatches its states; playing %d s of electrocardiogram at %d times its speed."
          % (seconds, SPEED), flush=True)
    rows = os.path.join(demo.run_dir, "part.csv")
    recording.write(rows, seconds * RATE_HZ)
    elapsed, is_whole = demo.play(rows)
    if is_whole:
        demo.wait("the last frames", lambda: demo.status()["accepted"] >= seconds * RATE_HZ)
    status = demo.status()
    demo.wait("the last records", lambda: counter.has(status["accepted"]))
    n_anomalies = sum(tap["records"] for tap in demo.status()["taps"] if tap["name"] == "anomalies")
    demo.wait("the last anomalies", lambda: len(found.records) >= n_anomalies)
    summary(status, counter, elapsed)
    if counter.lost or status["rejected"]:
        raise Failed("something was lost on the way")
    end_s = status["accepted"] / RATE_HZ
    return findings.tell(found.alarms(end_s), end_s)


def run(build, home, seconds, journal):
    """The whole demo in a directory of its own; its journal is kept, if there is a place for it."""
    with directory(home) as run_dir, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        demo = Demo(build, run_dir)
        config, log = os.path.join(run_dir, "celltapd.yaml"), os.path.join(run_dir, "celltapd.log")
        configure(config, run_dir)
        address = os.path.join(run_dir, "notify")
        notify.bind(address)
        with open(log, "wb") as output, \
                started([demo.program("celltapd"), "--config", config], stdout=output,
                        stderr=output, env=dict(os.environ, NOTIFY_SOCKET=address)) as daemon:
            wait_ready(daemon, notify, log)
            record = play(demo, seconds)
            if stop(daemon) != 0:
                raise Failed("celltapd did not end in order")
        if journal:
            keep(os.path.join(run_dir, "journal"), journal)
        return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--seconds", type=int, default=300, choices=range(1, 301), metavar="1..300",
                        help="of the recording (300)")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)

    home = os.path.join(build, "demo")
    try:
        os.makedirs(home, exist_ok=True)
        home_is_ours = os.access(home, os.W_OK)
        rows, config = os.path.join(home, "ecg208.csv"), os.path.join(home, "celltapd.yaml")
        journal = os.path.join(home, "played") if home_is_ours else None
        runtime_dir = home if fits(home) else "/tmp/celltap-demo-%d" % os.getuid()
        if home_is_ours:
            recording.write(rows)
            configure(config, runtime_dir)
        record = run(build, home if home_is_ours else "/tmp", options.seconds, journal)
        shell = Shell(build, runtime_dir)
        if record and journal:
            shell.look_again(record, journal, os.path.join(home, "anomaly"))
        shell.suggest(build, config, rows)
    except Failed as why:
        print("demo: %s" % why, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
