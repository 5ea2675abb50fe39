"""How a run goes while it goes: one line a second on a terminal, one every ten in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import gevent

from proof.judgement.histogram import merged
from proof.judgement.result import Second
from proof.report.terminal import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proof.generator.station import Station

EVERY_TERMINAL, EVERY_LOG = 1.0, 10.0
"""Seconds."""
CLEAR = "\r\x1b[K"


def snapshot(station: Station) -> dict[str, Any]:
    """Return what a process can say of its last whole second, to be added to what others say."""
    second, tick = station.last_tick()
    return {
        "second": second,
        "began": station.pacer.began,
        "users": tick.users,
        "connects": tick.connects,
        "published": tick.published,
        "received": tick.received,
        "delivered": dict(tick.delivered),
        "cpu": tick.cpu,
        "faults": station.faults(),
    }


def second_of(snapshots: Sequence[Mapping[str, Any]]) -> tuple[Second, float, int]:
    """Return the second, the busiest generator's CPU and the faults so far."""
    began = [each["began"] for each in snapshots if each["began"] is not None]
    last = max(each["second"] for each in snapshots)
    second = Second(
        second=int(last - min(began)) if began else -1,
        delivered=merged(each["delivered"] for each in snapshots).latency(),
        **{name: sum(each[name] for each in snapshots) for name in ("users", "connects", "published", "received")},
    )
    return second, max(each["cpu"] for each in snapshots), sum(each["faults"] for each in snapshots)


class Live:
    """Prints until it is stopped."""

    def __init__(self, snapshots: Callable[[], Sequence[Mapping[str, Any]]], length: float) -> None:
        self._snapshots = snapshots
        self._length = length
        self._is_terminal = sys.stderr.isatty()
        self._task = gevent.spawn(self._run)

    def stop(self) -> None:
        """Print nothing more."""
        self._task.kill()
        if self._is_terminal:
            sys.stderr.write(CLEAR)

    def _run(self) -> None:
        while True:
            gevent.sleep(EVERY_TERMINAL if self._is_terminal else EVERY_LOG)
            if snapshots := self._snapshots():
                second, cpu, faults = second_of(snapshots)
                line = progress(second, self._length, cpu=cpu, faults=faults)
                sys.stderr.write(f"{CLEAR}{line}" if self._is_terminal else f"{line}\n")
                sys.stderr.flush()
