# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Test Anything Protocol in Python. Call the checks, end with done()."""

import sys

_count = _failed = 0


def check(passed, name, detail=""):
    """One check; @detail is shown if it fails."""
    global _count, _failed
    _count += 1
    _failed += not passed
    print("%s %d - %s" % ("ok" if passed else "not ok", _count, name.replace("#", ".")))
    if not passed:
        for line in str(detail).splitlines()[:40]:
            print("#   " + line[:300])
    sys.stdout.flush()
    return passed


def same(got, want, name):
    return check(got == want, name, "got:  %r\nwant: %r" % (got, want))


def skip(name, why):
    global _count
    _count += 1
    print("ok %d - %s # SKIP %s" % (_count, name, why))


def done():
    print("1..%d" % _count)
    sys.exit(1 if _failed else 0)
