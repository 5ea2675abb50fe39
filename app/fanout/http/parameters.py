"""Which groups a request is about, and from where on: pure.

A field holds for every group of the request, or, behind `<group>@`, for that one: `since=chat.lobby@f3a9:7`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.errors import BadFrame, TooManyGroups
from fanout.groups import check_group
from fanout.positions import EPOCH, OFFSET_LIMIT, Position
from fanout.protocol import LAST_LIMIT
from fanout.session import GROUP_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POSITION = re.compile(rf"({EPOCH.pattern}):(\d{{1,16}})", re.ASCII)
CURSOR = re.compile(r":[0-9a-f]{1,16}\.\d{1,16}\.\d{1,18}", re.ASCII)
"""An ephemeral group has no positions; only a long poll has a place in it. See `shelf.py`."""
YES = ("1", "true")
NO = ("0", "false")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of one group."""

    group: str
    since: Position | None = None
    cursor: str | None = None
    """Instead of `since`, in an ephemeral group."""
    last: int = 0
    presence: bool = False
    info: Any = None


def wanted(path_group: str, query: Mapping[str, Sequence[str]], last_event_id: str = "") -> list[Wanted]:
    """Return what a request wants of each of its groups. Raise BadFrame, BadGroup or TooManyGroups.

    `path_group` is the one in its path, or empty; `last_event_id` outdoes `since`.
    """
    groups = list(dict.fromkeys(filter(None, [path_group, *query.get("group", ())])))
    if len(groups) > GROUP_LIMIT:
        raise TooManyGroups(f"A request may name {GROUP_LIMIT} groups: leave some out.")
    for group in groups:
        check_group(group)
    fields = {name: list(query.get(name, ())) for name in ("since", "last", "presence", "info")}
    fields["since"] += _halves(query)
    told = [item for item in last_event_id.split(",") if item]
    return [_of(group, {name: _for(group, values) for name, values in fields.items()}, told) for group in groups]


def text_of(position: Position) -> str:
    """Return a position as `since` and `Last-Event-ID` have it."""
    return f"{position.epoch}:{position.offset}"


def _halves(query: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the position that is given as `epoch` and `offset`."""
    epoch, offset = (query.get(name, [""])[-1] for name in ("epoch", "offset"))
    if bool(epoch) != bool(offset):
        raise BadFrame("Send both epoch and offset, as the answer before had them, or none of them.")
    return [f"{epoch}:{offset}"] if epoch else []


def _for(group: str, values: Sequence[str]) -> str | None:
    """Return the value for a group: the last of its own, else the last of those for all."""
    own = [rest for name, mark, rest in (value.partition("@") for value in values) if mark and name == group]
    # A group's name has no {, so JSON with an @ in it is not mistaken for one.
    common = [value for value in values if "@" not in value or value.lstrip()[:1] in ("{", "[", '"')]
    return next(reversed(own or common), None)


def _of(group: str, values: Mapping[str, str | None], told: Sequence[str]) -> Wanted:
    since, last, presence, info = (values[name] for name in ("since", "last", "presence", "info"))
    position, cursor = _place(_for(group, told) or since)
    if presence not in (None, *YES, *NO):
        raise BadFrame(f"`presence` must be 1 or 0, not {presence!r}.")
    return Wanted(group, position, cursor, _count(last), presence in YES, _json(info))


def _place(text: str | None) -> tuple[Position | None, str | None]:
    if text is None:
        return None, None
    if CURSOR.fullmatch(text):
        return None, text
    match = POSITION.fullmatch(text)
    if match is None or int(match[2]) > OFFSET_LIMIT:
        raise BadFrame("A position is <epoch>:<offset>, as the answer before had it; for example f3a9:7.")
    return Position(match[1], int(match[2])), None


def _count(text: str | None) -> int:
    if text is None:
        return 0
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or int(text) > LAST_LIMIT:
        raise BadFrame(f"`last` must be a number from 0 to {LAST_LIMIT}, not {text[:20]!r}.")
    return int(text)


def _json(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame('`info` must be JSON, for example {"name":"Ada"}.') from None
