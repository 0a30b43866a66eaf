#!/usr/bin/python3
"""29_listener_fault.py - this proves that clients that connect and close at once stop no listener.

500 of them on each listener (PULL, REP, tap and control; ipc and tcp), in each of several manners;
then a normal subscriber gets everything, and one that was there before has missed nothing.  A
listener whose path somebody has removed, or that has gone deaf, listens again by itself.
"""
import os
import re
import socket
import struct
import subprocess
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp

N_CLIENTS = 500
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


def rude(url, manner):
    """One client that connects and goes away at once."""
    try:
        client = sp.connect(url)
        if manner == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        elif manner == "half":
            client.send(b"\0SP")
        elif manner == "shut":
            client.shutdown(socket.SHUT_RD)
        client.close()
    except (BrokenPipeError, ConnectionResetError):
        pass


def urls(daemon):
    return {name: [daemon.url(name), daemon.tcp(name)]
            for name in ("ingest", "ack", "all", "control")}


def configured(daemon):
    url = urls(daemon)
    return daemon.default(
        ingest=[{"socket": "pull", "listen": url["ingest"]},
                {"socket": "rep", "listen": url["ack"]}],
        taps=[{"name": "all", "listen": url["all"], "tensors": ["*"]}],
        control={"listen": url["control"]})


def check_everything_works(daemon, early, n):
    """Frames through each ingest; each is seen by early and by new subscribers through each URL."""
    url = urls(daemon)
    subs = [early] + [daemon.subscribe(one) for one in url["all"]]
    pushes = [sp.Push(one) for one in url["ingest"]]
    reqs = [sp.Req(one) for one in url["ack"]]
    first = daemon.status()["accepted"]
    for i in range(n):
        pushes[i % 2].send(D.frame("push%d" % (i % 2), [i, 1, 2]))
        cases.same(D.feed(reqs[i % 2], [D.frame("req%d" % (i % 2), [i, 1, 2])])["accepted"], 1)
    daemon.wait_accepted(first + 2 * n)
    for sub in subs:
        got = D.records(sub, 2 * n * 5)
        seqs = {}
        for _, record in got:
            seqs.setdefault((record["stream"], record["layer"]), []).append(record["seq"])
        for key, some in seqs.items():
            cases.same(some, list(range(some[0], some[0] + len(some))), key)
    for one in url["control"]:
        with sp.Req(one) as req:
            assert "version" in msgpack.unpackb(req.request(msgpack.packb({"cmd": "status"})))
    for client in subs[1:] + pushes + reqs:
        client.close()


def test_listeners_when_500_clients_connect_and_close_at_once_then_all_goes_on():
    with D.Daemon(start=False) as daemon:
        daemon.write(configured(daemon))
        daemon.start()
        early = daemon.subscribe(daemon.url("all"))
        check_everything_works(daemon, early, 20)
        for manner in ("close", "reset", "half", "shut"):
            for both in urls(daemon).values():
                for url in both:
                    for _ in range(N_CLIENTS):
                        rude(url, manner)
            check_everything_works(daemon, early, 20)
        cases.same(daemon.status()["listeners_reopened"], 0, "none went deaf")
        early.close()


def nng_has_the_fault():
    version = subprocess.run(["nngcat", "--version"], stdout=subprocess.PIPE, check=True).stdout
    return tuple(int(part) for part in re.findall(rb"\d+", version)[:2]) < (1, 6)


def test_listener_when_it_goes_deaf_all_the_same_then_found_and_opened_again():
    """A copy of the daemon without its sendmsg has nng's fault as it is."""
    if not nng_has_the_fault():
        return  # the next case has another way
    with D.Daemon(start=False) as daemon:
        with open(daemon.program, "rb") as file:
            program = file.read()
        daemon.program = os.path.join(daemon.directory, "celltapd")
        with open(daemon.program, "wb") as file:
            file.write(program.replace(b"\0sendmsg\0", b"\0sendmsX\0"))
        os.chmod(daemon.program, 0o755)
        daemon.environment = {"ASAN_OPTIONS": "detect_leaks=0"}  # nng loses connections then
        daemon.write(configured(daemon))
        daemon.start()
        for name in ("all", "ack"):
            def deaf_and_found():
                for _ in range(N_CLIENTS):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.setblocking(False)
                        try:
                            client.connect(daemon.url(name)[len("ipc://"):])
                        except BlockingIOError:
                            break  # its backlog is full: it is deaf
                return daemon.url(name) + " did not answer; it listens again" in daemon.log()
            D.wait_until(deaf_and_found, name + " to listen again")
        assert daemon.status()["listeners_reopened"] >= 2

        def works():  # the last burst may have come after the opening; a real client dials again
            try:
                check_everything_works(daemon, daemon.subscribe(daemon.url("all"), 3), 20)
                return True
            except (EOFError, TimeoutError):
                return False
        D.wait_until(works, "everything to work again")


def test_listener_when_nobody_answers_behind_its_path_then_found_and_opened_again():
    """Somebody binds the path anew, the kernel takes the probe's connection, and that is all."""
    with D.Daemon(start=False) as daemon, socket.socket(socket.AF_UNIX) as silent:
        daemon.write(configured(daemon))
        daemon.start()
        early = daemon.subscribe(daemon.url("all"))
        path = daemon.url("ack")[len("ipc://"):]
        silent.bind(path + ".silent")
        silent.listen(8)
        os.rename(path + ".silent", path)
        daemon.wait_log(daemon.url("ack") + " did not answer; it listens again")
        check_everything_works(daemon, early, 20)
        cases.same(daemon.status()["listeners_reopened"], 1)
        early.close()


def test_listener_when_its_path_is_removed_then_it_listens_again_and_connections_live_on():
    with D.Daemon() as daemon:
        with sp.Req(daemon.url("ack")) as req, daemon.subscribe(daemon.url("all")) as sub:
            os.unlink(daemon.url("control")[len("ipc://"):])
            daemon.wait_log("did not answer; it listens again")
            cases.same(daemon.status()["listeners_reopened"], 1)
            D.feed(req, [D.frame("s", [1, 2, 3])])
            cases.same(len(D.records(sub, 5)), 5)


def test_listener_when_asked_by_the_probe_then_no_subscriber_is_counted():
    with D.Daemon() as daemon:
        opened = daemon.control("tap.open")
        before = daemon.status()["uptime_ms"]
        def look():
            status = daemon.status()
            cases.same([tap["subscribers"] for tap in status["taps"]], [0, 0])
            return status["uptime_ms"] > before + 3000  # a dozen probes
        D.wait_until(look, "3 s of probes")
        assert opened["url"]


cases.run(globals())
