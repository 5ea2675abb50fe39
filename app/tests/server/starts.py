"""Replicas of the command line, and what those say that can't start."""

import re
import subprocess
import sys

from tests.replicas import LIMIT

APPLICATION = "scripted:application"
PROJECT = "config.asgi:application"


def run(starter, *arguments):
    """Run a replica that can't start; return exit code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *map(str, arguments)],
        cwd=starter.folder, env=starter.environment, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def sentences(stderr):
    """Return what was said for people: without the log lines, which begin with a date."""
    return [line for line in stderr.splitlines() if not re.match(r"\d{4}-", line)]
