"""How many clients a process can hold: open files, and ports for outgoing connections."""

from __future__ import annotations

import contextlib
import resource
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RESERVE = 150
"""Descriptors for all but clients: libraries, logs, the web interface, Locust's own messages."""
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True)
class Room:
    """What one process has."""

    machine: str
    descriptors: int
    """For clients."""
    ports: int
    """Of the whole machine, to one address."""


def room() -> Room:
    """Return what this process has, after asking the kernel for as many descriptors as it gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Room(socket.gethostname(), max(0, soft - RESERVE), _ports())


def _ports() -> int:
    try:
        first, last = map(int, PORT_RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 28_000  # Linux' own default
    return last - first + 1


def refusal(users: int, rooms: Sequence[Room]) -> str | None:
    """Return why so many users don't fit, with the number that does; None when they do."""
    workers = len(rooms)
    descriptors = workers * min(each.descriptors for each in rooms)
    machines = {each.machine: each.ports for each in rooms}
    ports = sum(machines.values())
    if users > descriptors:
        most = min(each.descriptors for each in rooms) + RESERVE
        return (
            f"{users:,} users do not fit: {workers} load generator{'s' if workers > 1 else ''} may open {most:,} files "
            f"each, enough for {descriptors:,} users. Raise it (`ulimit -n`, and `ulimit -Hn` as root), use more "
            f"--processes, or take --users {min(descriptors, ports)}."
        )
    if users > ports:
        return (
            f"{users:,} users do not fit: {len(machines)} machine{'s' if len(machines) > 1 else ''} can open "
            f"{ports:,} connections to one address. Widen net.ipv4.ip_local_port_range, use workers on more machines, "
            f"or take --users {ports}."
        )
    return None
