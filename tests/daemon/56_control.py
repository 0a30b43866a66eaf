#!/usr/bin/python3
"""56_control.py - this proves that status, streams, reset and reload show and do what the daemon says."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D
import sp


def run(daemon, *arguments, **more):
    return celltap.run(*arguments, "--control", daemon.url("control"), **more)


def feed(daemon, *frames):
    with sp.Req(daemon.url("ack")) as req:
        return D.feed(req, frames)


def test_status_when_asked_then_json_is_the_reply():
    with D.Daemon() as daemon:
        feed(daemon, D.frame("s", [1, 2, 3]), D.frame("s", [1, 2]))
        shown, reply = run(daemon, "status", "--json").json(), daemon.status()
        cases.same(set(shown), set(reply), "keys")
        for key in ["version", "pid", "kernel", "threads", "accepted", "rejected", "rejects", "models"]:
            cases.same(shown[key], reply[key], key)


def test_status_when_asked_then_a_page_with_frames_rejects_models_and_taps():
    with D.Daemon() as daemon:
        feed(daemon, *[D.frame("s", [1, 2, 3])] * 1234, D.frame("s", [1, 2]))
        text = run(daemon, "status").out
        for part in ["1,234 accepted", "1 rejected", "pid %d" % daemon.process.pid, "m: " + D.MODEL,
                     "1 of at most", "threads 1", "journal   ", daemon.url("all"),
                     "0 subscribers"]:
            assert part in text, "%r is not in:\n%s" % (part, text)


def test_streams_when_more_than_a_page_then_all_of_them():
    with D.Daemon() as daemon:
        names = ["s%04d" % i for i in range(2500)]
        feed(daemon, *[D.frame(name, [1, 2, 3], ts=1583749473 * 10**9) for name in names])
        lines = run(daemon, "streams").out.splitlines()
        cases.same(sorted(line.split()[0] for line in lines[1:]), names)
        assert lines[1].endswith("2020-03-09 10:24:33"), lines[1]
        shown = run(daemon, "streams", "--json").json()["streams"]
        cases.same(sorted(stream["stream"] for stream in shown), names)
        shown = run(daemon, "streams", "--json", "--match", "s000*").json()["streams"]
        cases.same(sorted(stream["stream"] for stream in shown), names[:10])
        cases.same(len(run(daemon, "streams", "--limit", "1100").out.splitlines()), 1101)


def test_reset_when_done_then_states_start_afresh():
    with D.Daemon() as daemon, daemon.subscribe(daemon.url("all")) as sub:
        feed(daemon, D.frame("s", [1, 2, 3]))
        first = D.records(sub, 5)
        run(daemon, "reset", "s")
        feed(daemon, D.frame("s", [1, 2, 3]))
        cases.same([record["tensors"] for _, record in D.records(sub, 5)],
                   [record["tensors"] for _, record in first])
        done = run(daemon, "reset", "t", check=1)
        cases.same((done.out, done.err.count("\n")), ("", 1))


def test_reload_when_good_then_changes_are_shown():
    with D.Daemon() as daemon:
        config = daemon.default()
        config["taps"].append({"name": "more", "listen": [daemon.url("more")]})
        daemon.write(config)
        assert run(daemon, "reload").out.strip(), "nothing was said"
        assert [tap for tap in daemon.status()["taps"] if tap["name"] == "more"]


def test_reload_when_bad_then_every_error_on_its_line_and_78():
    with D.Daemon() as daemon:
        config = daemon.default()
        config["modles"] = config.pop("models")
        config["taps"][0]["every"] = "often"
        daemon.write(config)
        done = run(daemon, "reload", check=78)
        cases.same(done.out, "")
        lines = done.err.splitlines()
        assert len(lines) >= 3 and all(line.startswith("celltap: ") for line in lines), done.err
        assert any("models" in line and daemon.path + ":" in line for line in lines), done.err
        assert "stays" in lines[-1], lines[-1]
        cases.same(len(daemon.status()["models"]), 1)


def test_names_when_hostile_then_json_is_valid_and_the_terminal_safe():
    with D.Daemon() as daemon:
        config = daemon.default()
        config["models"][0]["name"] = 'a"\\\u00e4\u0007'
        daemon.write(json.loads(json.dumps(config)))
        if "error" in daemon.control("reload"):
            return  # the daemon refuses such a name, which is as good
        shown = run(daemon, "status", "--json").json()
        cases.same(shown["models"][0]["name"], 'a"\\\u00e4\u0007')
        assert "\u0007" not in run(daemon, "status").out


cases.run(globals())
