"""What the command line says when it cannot go on, and with which exit code."""

from __future__ import annotations

FAILED = 1
MISUSED = 2  # as argparse and every shell built-in say it
NOTHING_RUNS = 3  # as `systemctl status` and the LSB say it
INTERRUPTED = 130  # 128 + SIGINT, as shells say it


class FleetError(Exception):
    """Something does not work; the text is one sentence that says what and the remedy."""

    code = FAILED


class UsageError(FleetError):
    """A value given by the caller cannot be meant; the text names it and shows one that can."""

    code = MISUSED


class NothingRunsError(FleetError):
    """The verb needs a running fleet and there is none."""

    code = NOTHING_RUNS
