#!/usr/bin/python3
"""11_systemd.py - proves that celltapd tells systemd the truth, at the right time.

A socket of ours stands in for systemd's: READY comes when every socket accepts, WATCHDOG as long as
the loop turns and no longer, RELOADING and READY around a reload, whether it succeeds or not,
STOPPING at the end; all from the process that was started.  Log lines carry <N> in the journal only.
"""
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CELLTAP_BUILD", os.path.join(ROOT, "build"))
DAEMON = os.path.join(BUILD, "celltapd")
MODEL = os.path.join(ROOT, "config/demo/demo.onnx")
DEADLINE_S = 30
WATCHDOG_S = 1.5
SOCKETS = ("ingest.ipc", "ingest-ack.ipc", "activations.ipc", "control.ipc")


class Service:
    """celltapd as systemd would start it, and what it tells."""

    def __init__(self, folder, config, journal=True):
        self.folder, self.told, self.log = folder, [], b""
        self.config = os.path.join(folder, "c.yaml")
        self.configure(config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify.bind(os.path.join(folder, "notify"))
        self.stderr, writer = os.pipe()
        stat = os.fstat(writer)
        environment = dict(os.environ, NOTIFY_SOCKET=os.path.join(folder, "notify"),
                           WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6)))
        environment["JOURNAL_STREAM"] = "%d:%d" % (stat.st_dev, stat.st_ino + (not journal))
        self.process = subprocess.Popen([DAEMON, "--config", self.config], env=environment,
                                        stdin=subprocess.DEVNULL, stderr=writer)
        os.close(writer)

    def configure(self, config):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("runtime_dir: %s\n%s\nstate_dir: %s\n" % (self.folder, config, self.folder))

    def hear(self, timeout_s=DEADLINE_S):
        """The next message as a dict; None when there is none in time."""
        if not select.select([self.notify], [], [], timeout_s)[0]:
            return None
        data, ancillary, _, _ = self.notify.recvmsg(65536, 256)
        pid = struct.unpack("3i", ancillary[0][2][:12])[0]
        assert pid == self.process.pid, "told by process %d: it forked" % pid
        message = dict(line.split("=", 1) for line in data.decode().splitlines())
        self.told.append(message)
        return message

    def wait_for(self, key):
        """Hears until a message has the key."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            message = self.hear(deadline - time.monotonic())
            assert message is not None and self.process.poll() is None, self.read_log()
            if key in message:
                return message
        raise AssertionError("%s not told; heard %s" % (key, self.told))

    def read_log(self):
        """All that it has logged until now."""
        while select.select([self.stderr], [], [], 0)[0]:
            data = os.read(self.stderr, 65536)
            if not data:
                break
            self.log += data
        return self.log.decode()

    def wait_for_log(self, part):
        deadline = time.monotonic() + DEADLINE_S
        while part not in self.read_log():
            left = deadline - time.monotonic()
            assert left > 0, "%r not in %r" % (part, self.log)
            select.select([self.stderr], [], [], left)

    def end(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        os.close(self.stderr)


def models(name="ecg"):
    return "models: [{name: %s, file: '%s'}]\n" % (name, MODEL)


def test_ready_then_every_socket_accepts(folder):
    with Service(folder, models()) as service:
        service.wait_for("READY")
        for name in SOCKETS:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.path.join(folder, name))
        assert service.end() == 0, service.read_log()


def test_status_then_told_while_running(folder):
    with Service(folder, models()) as service:
        assert re.search(r"\d+ streams", service.wait_for("STATUS")["STATUS"]), service.told


def test_watchdog_then_only_while_the_loop_turns(folder):
    with Service(folder, models()) as service:
        service.wait_for("WATCHDOG")
        last = time.monotonic()
        for _ in range(3):
            service.wait_for("WATCHDOG")
            assert time.monotonic() - last < WATCHDOG_S, "too late for systemd"
            last = time.monotonic()
        service.process.send_signal(signal.SIGSTOP)
        os.waitpid(service.process.pid, os.WUNTRACED)
        while service.hear(0) is not None:  # what was under way
            pass
        assert service.hear(1.5 * WATCHDOG_S) is None, "told while nothing turned"
        service.process.send_signal(signal.SIGCONT)
        service.wait_for("WATCHDOG")


def reload_once(service):
    """SIGHUP; RELOADING with a true time, then READY."""
    before = time.monotonic_ns() // 1000
    service.process.send_signal(signal.SIGHUP)
    message = service.wait_for("RELOADING")
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000, message
    service.wait_for("READY")


def test_reload_then_reloading_and_ready(folder):
    with Service(folder, models()) as service:
        service.wait_for("READY")
        service.configure(models() + "taps: [{name: other}]\n")
        reload_once(service)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(folder, "other.ipc"))
        assert service.end() == 0, service.read_log()


def test_reload_of_a_faulty_file_then_old_one_stays(folder):
    with Service(folder, models()) as service:
        service.wait_for("READY")
        service.configure(models() + "taps: [{nam: other}]\n")
        reload_once(service)
        service.wait_for_log("c.yaml:3:9: unknown key `nam` in a tap; did you mean `name`?")
        service.wait_for_log("c.yaml:3:8: `name` is missing here")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(folder, "activations.ipc"))
        service.configure(models().replace("ecg", "new"))
        reload_once(service)  # and the next good one is taken
        assert service.end() == 0, service.read_log()


def test_end_then_stopping_and_no_socket_left(folder):
    with Service(folder, models()) as service:
        service.wait_for("READY")
        service.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DEADLINE_S
        while not any("STOPPING" in message for message in service.told):
            assert service.hear(deadline - time.monotonic()) is not None, service.read_log()
        assert service.process.wait(DEADLINE_S) == 0, service.read_log()
        assert not [name for name in os.listdir(folder) if name in SOCKETS], os.listdir(folder)


def test_log_in_the_journal_then_priorities(folder):
    with Service(folder, models()) as service:
        service.wait_for("READY")
        assert service.end() == 0
        lines = service.read_log().splitlines()
        assert lines and all(re.match(r"<[3-7]>\S", line) for line in lines), lines


def test_log_elsewhere_then_time_and_level(folder):
    with Service(folder, models(), journal=False) as service:
        service.wait_for("READY")
        assert service.end() == 0
        lines = service.read_log().splitlines()
        form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} celltapd: (err|warning|notice|info): \S"
        assert lines and all(re.match(form, line) for line in lines), lines


def test_start_with_a_faulty_file_then_78_and_never_ready(folder):
    with Service(folder, "models: []\n") as service:
        assert service.process.wait(DEADLINE_S) == 78
        assert "<3>" in service.read_log() and "no models" in service.read_log()
        while service.hear(0) is not None:
            pass
        assert not any("READY" in message for message in service.told), service.told


def main():
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(folder)
    print("%d passed, 0 failed" % len(tests))


if __name__ == "__main__":
    sys.exit(main())
