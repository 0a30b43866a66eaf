#!/usr/bin/python3
"""25_tap_open.py - this proves the life of a tap that is opened by request.

It publishes what was asked for, ends by request or some seconds after its last subscriber, and there
is a limit to them.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import sp


def names(daemon):
    return {tap["name"] for tap in daemon.status()["taps"] if tap["dynamic"]}


def test_tap_when_opened_then_publishes_its_selection_to_late_comers_of_any_stream():
    with D.Daemon() as daemon, sp.Req(daemon.url("ack")) as req:
        D.feed(req, [D.frame("a", [1, 2, 3])])
        opened = daemon.control("tap.open", streams=["a", "c*"], layers=["lstms.*"],
                                tensors=["h", "i"], every=2, group="stream")
        cases.same(set(opened), {"name", "url", "warning"})
        with daemon.subscribe(opened["url"]) as sub:
            for _ in range(4):
                D.feed(req, [D.frame(s, [1, 2, 3]) for s in ("a", "b", "c/1")])
            got = D.records(sub, 4 * 2)
        cases.same({topic for topic, _ in got}, {opened["name"] + "/a/", opened["name"] + "/c/1/"})
        cases.same(sorted((r["stream"], r["seq"], r["layer"]) for _, r in got),
                   sorted((s, seq, l) for s in ("a", "c/1") for seq in (2, 4)
                          for l in ("lstms.0", "lstms.1")))
        cases.same({tuple(r["tensors"]) for _, r in got}, {("h", "i")})


def test_tap_when_closed_by_request_then_gone_with_its_socket():
    with D.Daemon() as daemon:
        opened = daemon.control("tap.open")
        path = opened["url"][len("ipc://"):]
        with sp.Sub(opened["url"]) as sub:
            cases.same(daemon.control("tap.close", name=opened["name"]), {"ok": True})
            try:
                sub.receive()
                raise AssertionError("the connection outlived its tap")
            except EOFError:
                pass
        assert not os.path.exists(path)
        cases.same(names(daemon), set())
        assert "error" in daemon.control("tap.close", name=opened["name"])
        assert "configuration" in daemon.control("tap.close", name="all")["error"]


def test_tap_when_its_last_subscriber_has_left_then_ends_after_5_s_and_not_before():
    with D.Daemon() as daemon:
        sp.Sub(daemon.control("tap.open")["url"]).close()  # gone before the loop looks
        opened = daemon.control("tap.open")
        one, two = daemon.subscribe(opened["url"]), daemon.subscribe(opened["url"])
        one.close()
        left = time.monotonic()
        D.wait_until(lambda: time.monotonic() > left + 3 and names(daemon), "3 s with the other")
        two.close()
        left = time.monotonic()
        D.wait_until(lambda: not names(daemon), "the end of both taps")
        assert 4.5 < time.monotonic() - left < 8 * D.SLOW, time.monotonic() - left
        assert not os.path.exists(opened["url"][len("ipc://"):])


def test_taps_when_there_are_too_many_then_an_error_until_one_is_closed():
    with D.Daemon() as daemon:
        opened = [daemon.control("tap.open")["name"] for _ in range(16)]
        cases.same(len(set(opened)), 16)
        assert "close one" in daemon.control("tap.open")["error"]
        daemon.control("tap.close", name=opened[7])
        assert daemon.control("tap.open")["name"] not in opened


def test_taps_when_the_configuration_has_all_it_can_then_there_is_room_for_requests():
    with D.Daemon(start=False) as daemon:
        taps = [{"name": "t%d" % i, "listen": [daemon.url("t%d" % i)]} for i in range(48)]
        daemon.write(daemon.default(taps=taps))
        daemon.start()
        opened = [daemon.control("tap.open") for _ in range(16)]
        assert "close one" in daemon.control("tap.open")["error"]
        cases.same(daemon.control("reload").get("error"), None)
        with daemon.subscribe(opened[15]["url"]) as last, sp.Req(daemon.url("ack")) as req, \
                daemon.subscribe(daemon.url("t47")) as own:
            D.feed(req, [D.frame("a", [1, 2, 3])])
            for sub in (last, own):
                assert D.split(sub.receive())[1], "records"


def test_tap_when_asked_for_wrongly_then_one_line_says_so():
    with D.Daemon() as daemon:
        for key, value in [("streams", 1), ("streams", []), ("streams", ["a", 2]),
                           ("streams", ["x" * 300]), ("layers", {"a": 1}), ("tensors", [["h"]]),
                           ("tensors", ["a"] * 300), ("every", 0), ("every", -1), ("every", "2"),
                           ("every", 2**40), ("group", "all"), ("group", 1), ("dtype", "<f8"),
                           ("encoding", "json"), ("streams", ["a\0b"])]:
            reply = daemon.control("tap.open", **{key: value})
            cases.same(list(reply), ["error"], "%s=%r" % (key, value))
            assert key in reply["error"] and "\n" not in reply["error"], reply
        assert "error" in daemon.control("tap.open", encoding="array", dtype="<f2")
        cases.same(names(daemon), set())


cases.run(globals())
