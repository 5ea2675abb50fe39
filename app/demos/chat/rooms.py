"""Which names a room may have."""

import re

LOBBY = "lobby"
"""The room of `/` and of `/ws/chat/`."""

NAME_PATTERN = r"[A-Za-z0-9_.\-]{1,64}"  # browsers, too, read it: there the last - needs its backslash
RULE = "1 to 64 letters (A to Z, a to z), digits, dots, underscores or hyphens"
"""The pattern in words: what follows "A room name is …"."""

_NAME = re.compile(NAME_PATTERN)
_PATH_STEPS = (".", "..")


def is_room_name(name: str) -> bool:
    """Whether `name` keeps the rule and can stand in an address: browsers take `.` and `..` for path steps."""
    return bool(_NAME.fullmatch(name)) and name not in _PATH_STEPS
