#!/usr/bin/python3
"""32_one_daemon.py - this proves that a second daemon does not break the first, and a crash not the next.

The same runtime_dir is refused by the lock, the same path under another runtime_dir by whoever
listens there; socket files that a killed daemon has left are taken over.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp


def works(daemon):
    with daemon.subscribe(daemon.url("all")) as sub, sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame("s", [1, 2, 3])])
        cases.same(len(D.records(sub, 5)), 5)


def refused(daemon, words, code=1):
    daemon.start(wait=False)
    cases.same(daemon.wait_end(), code)
    assert words in daemon.log(), daemon.log()
    cases.same(daemon.notifications(), [], "never ready")


def test_daemon_when_the_runtime_dir_is_in_use_then_refused_and_the_first_goes_on():
    with D.Daemon() as first, D.Daemon(start=False) as second:
        second.write(dict(second.default(), runtime_dir=first.directory))
        refused(second, "another celltapd (pid %d) runs in %s" % (first.process.pid,
                                                                  first.directory))
        works(first)


def test_daemon_when_a_path_is_in_use_then_refused_and_the_first_goes_on():
    with D.Daemon() as first, D.Daemon(start=False) as second:
        second.write(second.default(taps=[{"name": "t", "listen": [first.url("all")]}]))
        refused(second, "another process listens there")
        works(first)
        left = [name for name in os.listdir(second.directory) if ".ipc" in name]
        cases.same(left, [], "what the second had opened")


def test_daemon_when_a_port_is_in_use_then_refused():
    with D.Daemon(start=False) as first, D.Daemon(start=False) as second:
        for daemon in (first, second):
            daemon.write(daemon.default(taps=[{"name": "all", "listen": [
                daemon.url("all"), first.tcp("all")]}]))
        first.start()
        refused(second, first.tcp("all") + ": another process listens there; ")
        second.write(second.default(taps=[{"name": "all", "insecure": True,
                                           "listen": ["tcp://192.0.2.1:5555"]}]))
        refused(second, "no address of this machine")


def test_path_when_as_long_as_allowed_then_is_listened_on():
    with D.Daemon(start=False) as daemon:
        url = daemon.url("x")
        url = url.replace("x.ipc", "x" * (len("ipc://") + 106 - len(url) + 1) + ".ipc")
        cases.same(len(url), len("ipc://") + 106)
        daemon.write(daemon.default(taps=[{"name": "all", "listen": [url]}]))
        daemon.start()


def test_daemon_when_the_last_one_was_killed_then_takes_its_paths_over():
    with D.Daemon() as daemon:
        daemon.control("tap.open")
        daemon.process.kill()
        daemon.process.wait()
        assert os.path.exists(daemon.url("all")[len("ipc://"):])
        daemon.start()
        works(daemon)


def test_daemon_when_a_file_is_in_the_way_then_it_is_kept_and_said():
    with D.Daemon(start=False) as daemon:
        path = daemon.url("all")[len("ipc://"):]
        with open(path, "w", encoding="ascii") as file:
            file.write("precious")
        refused(daemon, "the path exists and is not a socket")
        with open(path, encoding="ascii") as file:
            cases.same(file.read(), "precious")


def test_daemon_when_its_model_is_bad_then_one_line_and_nothing_opened():
    with D.Daemon(start=False) as daemon:
        bad = os.path.join(daemon.directory, "bad.onnx")
        with open(bad, "wb") as file:
            file.write(b"\xff" * 100)
        daemon.write(daemon.default(models=[{"name": "pump", "file": bad, "streams": ["*"]}]))
        refused(daemon, "model pump: ", 78)
        cases.same([name for name in os.listdir(daemon.directory) if ".ipc" in name], [])


cases.run(globals())
