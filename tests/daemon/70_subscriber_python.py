#!/usr/bin/python3
"""70_subscriber_python.py - proves that examples/subscriber.py shows every record, over ipc and tcp.

Two subscribers, one on each transport, see the same records of the layer they asked for, with the
figures that `celltap extract` computes; when the daemon is started again, they come back by
themselves.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))
sys.path.insert(0, os.path.join(ROOT, "config/demo"))
import demo  # noqa: E402

DEADLINE_S = 30
LAYER, TENSOR = "lstm.l1", "c"
ROWS = ["%.3f" % (0.1 * i) for i in range(4)]
CONFIG = """
runtime_dir: {dir}
state_dir: {dir}
journal: off
models: [{{name: ecg, file: {model}, streams: ["*"]}}]
ingest: [{{socket: pull}}]
taps:
  - name: all
    listen: ["ipc://{dir}/all.ipc", "tcp://127.0.0.1:{port}"]
    tensors: [{tensor}]
"""


def celltap(*arguments):
    return subprocess.run([os.path.join(BUILD, "celltap"), *arguments], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=DEADLINE_S).stdout.decode()


class Daemon:
    """celltapd in a directory, ready."""

    def __init__(self, folder):
        self.folder = folder
        address = os.path.join(folder, "notify")
        if os.path.exists(address):
            os.unlink(address)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(address)
        log = os.path.join(folder, "log")
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "celltapd"), "--config", os.path.join(folder, "c.yaml")],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=dict(os.environ, NOTIFY_SOCKET=address))
        demo.wait_ready(self.process, self.notify, log)

    def wait_subscribers(self, n):
        player = demo.Demo(BUILD, self.folder)
        player.wait("subscribers", lambda: player.status()["taps"][0]["subscribers"] >= n)

    def feed(self):
        path = os.path.join(self.folder, "rows.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(ROWS) + "\n")
        celltap("feed", path, "--dial", "ipc://%s/ingest.ipc" % self.folder, "--stream", "a/1",
                "--rate", "max")

    def stop(self):
        self.notify.close()
        code = demo.stop(self.process)
        assert code == 0, code


def line_of(process):
    """One line of a subscriber, within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    line = b""
    os.set_blocking(process.stdout.fileno(), False)
    while time.monotonic() < deadline and not line.endswith(b"\n"):
        byte = process.stdout.read(1)
        if byte:
            line += byte
        else:
            time.sleep(0.005)
    return line.decode().rstrip()


def wanted(folder):
    """The lines, from what extract writes."""
    states = os.path.join(folder, "states")
    celltap("extract", os.path.join(ROOT, "config/demo/demo.onnx"),
            os.path.join(folder, "rows.csv"), "-o", states)
    values = np.load(os.path.join(states, LAYER, TENSOR + ".npy"))
    assert values.shape == (len(ROWS), 48), values.shape
    return ["a/1 seq %d %s %s[48] min %.4f mean %.4f max %.4f"
            % (seq, LAYER, TENSOR, row.min(), row.mean(), row.max())
            for seq, row in enumerate(values, 1)]


def main():
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with open(os.path.join(folder, "c.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(dir=folder, port=port, tensor=TENSOR,
                                     model=os.path.join(ROOT, "config/demo/demo.onnx")))
        subscribers = [subprocess.Popen(
            [os.path.join(ROOT, "examples/subscriber.py"), url, "--topic", "all/a/1/%s/" % LAYER],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for url in ("ipc://%s/all.ipc" % folder, "tcp://127.0.0.1:%d" % port)]
        try:
            for _ in range(2):  # without a journal the second begins at seq 1 again
                daemon = Daemon(folder)
                daemon.wait_subscribers(len(subscribers))
                daemon.feed()
                for subscriber in subscribers:
                    got = [line_of(subscriber) for _ in ROWS]
                    assert got == wanted(folder), got
                daemon.stop()
        finally:
            for subscriber in subscribers:
                demo.stop(subscriber)
    print("4 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
