"""The machine a run was made on, and how much of it others used meanwhile."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import psutil

from fleet import packages
from proof.generator import machine

LIBRARIES = ("daphne", "twisted", "autobahn", "channels", "channels-redis", "uvicorn", "granian", "hypercorn")
DISTURBED = 0.1
"""Share of all cores used by others from which the figures are suspect: on a shared core the same work costs more."""


def facts() -> dict[str, Any]:
    """Return what a reader needs to compare figures of two machines."""
    return {
        **machine.facts(LIBRARIES),
        "nginx": _first_line(packages.require("nginx"), "-v"),
        "redis": _first_line(packages.require("redis-server"), "--version"),
    }


@dataclass(frozen=True)
class Others:
    """Watches what processes beside the benchmark's own use."""

    began: float
    busy: float
    own: float

    @classmethod
    def watch(cls) -> Others:
        """Begin."""
        return cls(time.monotonic(), _busy(), _own())

    @property
    def share(self) -> float:
        """Their share of all cores since, 0 to 1; what our ended children used is ours."""
        passed = (time.monotonic() - self.began) * (os.cpu_count() or 1)
        return max(0.0, (_busy() - self.busy) - (_own() - self.own)) / max(passed, 1e-9)


def _busy() -> float:
    """CPU seconds of everything on this machine."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _own() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]
