"""Clients of `fanout.v1` with habits: they read through the core, lose connections, read slowly, want latest values."""

from __future__ import annotations

import random

from fanout import close_codes
from proof.clients.group_client import GroupClient


class ResumingClient(GroupClient):
    """It reads through the core of `fanout.client`, which fills gaps and drops doubles: what an application gets."""

    rank = 1
    reads_in_bulk = False


class DroppingClient(ResumingClient):
    """It loses its connection every few seconds, as a phone does, and resumes."""

    HOLDS = (3.0, 8.0)
    """Seconds of a connection, at least and at most."""

    def _stay(self) -> None:
        if not self._over.wait(random.uniform(*self.HOLDS)) and not self.station.is_hushed and self._link:  # noqa: S311
            self._link.end(close_codes.ABNORMAL)
        self._over.wait()


class SlowClient(ResumingClient):
    """It reads nothing for some seconds again and again; when the server cuts it off (4008) it resumes."""

    is_timed = False
    note = "It reads late on purpose: its latencies do not count."
    READS = 1.0
    PAUSES = 4.0
    """Seconds."""

    def _stay(self) -> None:
        while not self._over.wait(self.READS):
            if self._link is None or self.station.is_hushed:
                self._over.wait()
                return
            self._link.pause()
            self.station.hushed.wait(self.PAUSES)
            self._link.resume()


class DashboardClient(GroupClient):
    """It wants the latest value of each publisher; an older one that is passed over is superseded."""

    takes_latest = True
    note = "Only the latest value of each publisher has to be there at the end; older ones may be superseded."
