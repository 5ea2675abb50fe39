"""Who is in a group, over the fleet: what each process says of itself, and what all of it together is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MEMBERS_LIMIT = 100
"""Members that are named; of a larger group the count is told, so that a mass join costs each client no more."""
PART_LIFETIME = 600.0
"""Seconds that a part is kept: three times the interval at which a process repeats it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process's part of a group, as it travels: `number` grows with each that the process tells."""

    process: str
    number: int
    count: int
    """Members in that process."""
    members: Mapping[str, Any]
    """Of those at most MEMBERS_LIMIT, the longest there first: member → what it says of itself."""


PartReceiver = Callable[[Part], None]
"""Called by the layer for each part that a process tells, in order, on the event loop; must not block or raise."""


@dataclass(frozen=True, slots=True)
class View:
    """A group as a client knows it."""

    count: int = 0
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every member is named."""
        return self.count == len(self.members)


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a View. `members` takes the place of all that was named; else `join` and `leave` tell."""

    count: int
    join: Mapping[str, Any] = field(default_factory=dict)
    leave: tuple[str, ...] = ()
    members: Mapping[str, Any] | None = None


def merge(parts: Iterable[Part]) -> View:
    """Return the group of these parts."""
    parts = tuple(parts)
    named = chain.from_iterable(part.members.items() for part in parts)
    return View(sum(part.count for part in parts), dict(islice(named, MEMBERS_LIMIT)))


def difference(told: View, now: View) -> Change | None:
    """Return what turns the one into the other; None if they are the same to a client.

    Names are told as long as all are; a group too large for that has a count only, and when it has become
    small enough again all are named anew.
    """
    if not now.whole:
        return None if told.count == now.count and not told.whole else Change(now.count)
    if not told.whole:
        return Change(now.count, members=now.members)
    join = {member: info for member, info in now.members.items() if member not in told.members}
    leave = tuple(member for member in told.members if member not in now.members)
    return Change(now.count, join, leave) if join or leave else None
