"""Ctrl-C ends a run, and nothing else: Python raises it in whichever greenlet is at work, whose end nobody sees."""

import signal

import gevent


def await_ctrl_c() -> None:
    """Let Ctrl-C reach the main greenlet, which ends the run, by the event loop: else it does only when all wait."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in the background of a script
        gevent.signal_handler(signal.SIGINT, _end)


def _end() -> None:
    gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
