"""What a side was asked to do, declared, so that nothing is compared with what was made by other work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import UnlikeWorkError

PAYLOAD = 100
"""Bytes of the JSON text that the publisher sends."""


@dataclass(frozen=True)
class Work:
    """The work behind a figure."""

    sockets: int
    """Open connections of the measured replicas."""
    fan_out: int
    """Sockets that get each publication."""
    rate: float = 0.0
    """Publications a second, offered."""
    payload: int = PAYLOAD
    """Bytes of a publication as its publisher sends it."""
    coalescing: str = "none"
    """How publications share a write: `none`, or the flush interval."""
    durable: bool = False
    """Whether a publication is kept in a stream."""
    protocol: str = "plain"
    """What the clients speak."""
    replicas: int = 1
    edge: str = "none"
    """What stands before the replicas."""


def differences(one: Work, other: Work) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ, with both values."""
    left, right = asdict(one), asdict(other)
    return {name: (left[name], right[name]) for name in left if left[name] != right[name]}


def refuse_unlike(one: Work, other: Work, allowed: tuple[str, ...] = ()) -> None:
    """Raise UnlikeWorkError unless the two differ in nothing but the fields that the row declares."""
    undeclared = {name: pair for name, pair in differences(one, other).items() if name not in allowed}
    if undeclared:
        told = ", ".join(f"{name} {left!r} against {right!r}" for name, (left, right) in undeclared.items())
        raise UnlikeWorkError(f"These figures come from unlike work and are not compared: {told}.")
