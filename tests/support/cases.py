"""cases.py - runs a file's test_* functions in their order and counts them.

    cases.run(globals())      prints what failed and `N passed, N failed`; exit code 1 on a failure
"""
import inspect
import sys
import time
import traceback


def run(names):
    tests = [(name, value) for name, value in names.items()
             if name.startswith("test_") and inspect.isfunction(value)]
    failed = 0
    for name, test in tests:
        began = time.monotonic()
        try:
            test()
        except Exception:  # whatever it is, the next test is to run
            failed += 1
            print("FAILED %s after %.1f s" % (name, time.monotonic() - began))
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    sys.exit(1 if failed else 0)


def same(got, expected, what=""):
    if got != expected:
        raise AssertionError("%s: expected %r, got %r" % (what, expected, got))
