"""What this process has done since it began: plain numbers that whoever measures may read at any time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Both only grow."""

    publications: int = 0
    """Made by this process, by its clients and its own code, and taken by the channel layer."""
    deliveries: int = 0
    """Publications and other frames of a group, times the sockets of this process that they went to."""


counters = Counters()
"""This process's own."""
