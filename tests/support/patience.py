"""patience.py - how long a test waits before it gives up: ten times as long for slow programs.

Slow are those built with a sanitizer ($CELLTAP_BUILD ends in ..san) and those that run under another
program ($CELLTAP_WRAP: valgrind and the like).
"""
import os

BUILD = os.path.basename(os.environ.get("CELLTAP_BUILD", "build"))
SLOW = 10.0 if os.environ.get("CELLTAP_WRAP") or "san" in BUILD else 1.0
TIMEOUT_S = 20.0 * SLOW
