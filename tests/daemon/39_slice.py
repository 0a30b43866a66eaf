#!/usr/bin/python3
"""39_slice.py - this proves that the daemon's threads ask for short turns on the CPU, and that a
policy which somebody else has chosen stays.
"""
import ctypes
import os
import platform
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
SHORT_NS = 100000


def slice_ns(tid):
    """How long a turn the thread has asked for; 0 where the kernel knows no such thing."""
    attr = ctypes.create_string_buffer(48)
    if SCHED_GETATTR is None or ctypes.CDLL(None).syscall(SCHED_GETATTR, tid, attr, 48, 0) != 0:
        return 0
    return struct.unpack("IIQiIQQQ", attr.raw)[5]


def threads(daemon, policy):
    """Those with this policy; replays have one of their own, the least."""
    tids = map(int, os.listdir("/proc/%d/task" % daemon.process.pid))
    return [tid for tid in tids if os.sched_getscheduler(tid) == policy]


def test_threads_when_the_kernel_has_slices_then_all_have_short_ones():
    if slice_ns(0) == 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return  # ours is the daemon's too
    with D.Daemon() as daemon:
        cases.same({slice_ns(tid) for tid in threads(daemon, os.SCHED_OTHER)}, {SHORT_NS})


def test_policy_when_chosen_by_who_starts_it_then_stays():
    ours = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        with D.Daemon() as daemon:
            assert daemon.process.pid in threads(daemon, os.SCHED_BATCH)
            cases.same(threads(daemon, os.SCHED_OTHER), [])
    finally:
        os.sched_setscheduler(0, ours, os.sched_param(0))


cases.run(globals())
