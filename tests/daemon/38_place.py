#!/usr/bin/python3
"""38_place.py - this proves that the threads which hand a frame on share a CPU while one is enough,
and that no other thread is kept from the rest.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D

def threads(pid):
    """{thread: (its name, where it may run)}"""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid), encoding="utf-8") as file:
            found[int(tid)] = file.read().strip(), os.sched_getaffinity(int(tid))
    return found

def share_one(pid, allowed):
    place = os.sched_getaffinity(pid)
    return len(place) == 1 and all(
        cpus == (place if tid == pid or name.startswith(("nng:poll", "nng:task")) else allowed)
        for tid, (name, cpus) in threads(pid).items())


def test_threads_when_one_cpu_is_enough_then_share_it():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        return
    with D.Daemon() as daemon:
        D.wait_until(lambda: share_one(daemon.process.pid, allowed), "one CPU for those alone")


def test_threads_when_bound_by_who_starts_it_then_stay_there():
    one = {min(os.sched_getaffinity(0))}
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, one)
    try:
        with D.Daemon() as daemon:
            os.sched_setaffinity(0, allowed)
            daemon.control("status")
            assert all(cpus == one for _, cpus in threads(daemon.process.pid).values())
    finally:
        os.sched_setaffinity(0, allowed)


cases.run(globals())
