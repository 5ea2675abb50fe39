"""The run of this process, for the users that Locust makes: they get nothing but Locust's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proof.generator.station import Station

_station: Station | None = None


def begin(station: Station | None) -> None:
    """Let users that are made from now on be clients of this station; None: of none, the run was refused."""
    global _station  # noqa: PLW0603 - one a process
    _station = station


def station() -> Station | None:
    """Return the station of the run."""
    return _station
