# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is ignored here (nohup, "make check &" in a script) would be in all that is started, which then
couldn't be ended by it."""

import signal


def let_all_that_is_started_have_them():
    """In place of ignoring, a handler that does nothing: a program begins without."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
