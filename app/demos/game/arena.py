"""The rules of the arena as numbers; the page gets them from here too."""

from __future__ import annotations

import math

WIDTH, HEIGHT = 1200, 750
"""Units; a page scales them to whatever it has."""
SPEED = 360.0
"""Units a second that a player walks."""
RATE = 20
"""Steps a second that a client tells."""
TOUCH = 34.0
"""Units between a player and a gem that it takes."""
GRACE = 1.05
"""By how much faster a player may be than SPEED: clocks drift, and steps are told in whole units."""
STALL = 1.0
"""Seconds that a player's steps may be late together: the network stalls, then all arrive at once."""
SETTLE = math.hypot(WIDTH, HEIGHT) / (SPEED * GRACE)
"""Seconds before one who has come takes gems: a connection begins anywhere, and this is the longest walk there."""
NAME_LIMIT = 24
"""Characters of a name: it stands beside its player."""
SILENCE = 2.0
"""Seconds without a word of a player after which it is gone for the others: no need for a goodbye that may be lost."""
REPEAT = 0.5
"""Seconds after which a player that stands still says so again: a quarter of SILENCE."""
