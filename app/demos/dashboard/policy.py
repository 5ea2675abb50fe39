"""What a board takes: numbers by name. Anyone may look; the fleet's own board is the replicas'."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from demos.dashboard.board import FLEET, board_of
from demos.rooms import is_room_name
from fanout.errors import BadData
from fanout.policy import KIB, Policy

if TYPE_CHECKING:
    from fanout.asgi import Scope

SERIES_LIMIT = 32
"""Numbers of one publication: more charts than that nobody looks at."""
NAME_LIMIT = 48
"""Characters of a series' name."""
NUMBER_LIMIT = 1e15
"""Up to which a browser counts exactly, and an axis has room for the digits."""
RULE = f'Send 1 to {SERIES_LIMIT} numbers by name: {{"temperature": 21.5}}.'


class DashboardPolicy(Policy):
    """Numbers, the latest of each set of names. A project that limits who posts overrides `may_publish`."""

    kind = "dashboard"
    frame_limit = 4 * KIB
    flush_interval = 0.1
    """Ten writes a second to a viewer, however many replicas or programs publish."""

    async def may_join(self, scope: Scope, group: str) -> bool:
        """Whoever names a board as the page does; the first viewer of the fleet's board sets it going."""
        if group == FLEET:
            board_of(scope).viewers.come()
        return is_room_name(group.partition(".")[2])

    async def may_publish(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Anyone, but for the fleet's own board."""
        return group != FLEET and is_room_name(group.partition(".")[2])

    def clean(self, data: Any) -> dict[str, float]:
        """Return the numbers. Raise BadData."""
        if not isinstance(data, dict) or not 1 <= len(data) <= SERIES_LIMIT:
            raise BadData(RULE)
        for name, value in data.items():
            if not 1 <= len(name) <= NAME_LIMIT or not name.isprintable():
                raise BadData(f"A name must have 1 to {NAME_LIMIT} visible characters.")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadData(f"{name} must be a number, not {type(value).__name__}. {RULE}")
            if not math.isfinite(value) or abs(value) > NUMBER_LIMIT:
                raise BadData(f"{name} must be a number between -{NUMBER_LIMIT:g} and {NUMBER_LIMIT:g}.")
        return data

    def value_key(self, data: Any) -> str | None:
        """Of each replica, and of each set of names, the newest numbers count."""
        if not isinstance(data, dict):
            return None
        return str(data["replica"]) if "replica" in data else "\n".join(sorted(map(str, data)))
