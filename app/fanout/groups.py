"""Group names: Channels' own rule, and the kind before the first dot."""

from __future__ import annotations

import re

from fanout.errors import BadGroup

NAME = re.compile(r"[a-zA-Z0-9_.-]{1,99}")
RULE = "1 to 99 of letters, digits, - _ and . (ASCII)"


def check_group(name: str) -> str:
    """Return the name, or raise BadGroup."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadGroup(f"The group name must be {RULE}; for example chat.lobby.")
    return name


def kind_of(group: str) -> str:
    """Return the kind of a group: `chat` of `chat.lobby`, and of `chat`."""
    return group.partition(".")[0]
