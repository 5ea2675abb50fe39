"""Which names rooms, arenas, documents and boards may have, in a group and in an address (`<room:name>`)."""

import re

from django.urls import register_converter

NAME_PATTERN = r"[A-Za-z0-9_.\-]{1,64}"  # browsers, too, read it: there the last - needs its backslash
RULE_IN_WORDS = "1 to 64 letters (A to Z, a to z), digits, dots, underscores or hyphens"
"""What follows "A room name is …" on a page."""
RULE = f"{RULE_IN_WORDS}; as a pattern: [A-Za-z0-9_.-]{{1,64}}"
"""What follows it in an error."""

_NAME = re.compile(NAME_PATTERN)
_PATH_STEPS = (".", "..")


def is_room_name(name: str) -> bool:
    """Whether `name` keeps the rule and can stand in an address: browsers take `.` and `..` for path steps."""
    return bool(_NAME.fullmatch(name)) and name not in _PATH_STEPS


class RoomConverter:
    """A path segment that is a room's name."""

    regex = NAME_PATTERN

    def to_python(self, value: str) -> str:
        """Return the name as it stands."""
        return value

    to_url = to_python


register_converter(RoomConverter, "room")
