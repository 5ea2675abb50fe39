"""Which groups a request is about, and from where on: pure.

A field holds for every group of the request, or, behind `<group>@`, for that one: `since=chat.lobby@f3a9:7`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fanout.counters import counters
from fanout.errors import BadFrame, TooManyGroups
from fanout.groups import check_group
from fanout.limits.bounds import limits
from fanout.positions import EPOCH, OFFSET_LIMIT, Position
from fanout.protocol import LAST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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


class Field:
    """The values of a field, looked at once, however many groups ask for theirs."""

    __slots__ = ("_common", "_own")

    def __init__(self, values: Iterable[str]) -> None:
        self._common: str | None = None
        self._own: dict[str, str] = {}
        for value in values:
            group, mark, rest = value.partition("@")
            # A group's name has no {, so JSON with an @ in it is not mistaken for one.
            if not mark or value.lstrip()[:1] in ("{", "[", '"'):
                self._common = value
            else:
                self._own[group] = rest

    def of(self, group: str) -> str | None:
        """Return the value for a group: the last of its own, else the last of those for all."""
        return self._own.get(group, self._common)


def wanted(path_group: str, query: Mapping[str, Sequence[str]], last_event_id: str = "") -> list[Wanted]:
    """Return what a request wants of each of its groups. Raise BadFrame, BadGroup or TooManyGroups.

    `path_group` is the one in its path, or empty; `last_event_id` outdoes `since`.
    """
    groups = list(dict.fromkeys(filter(None, [path_group, *query.get("group", ())])))
    if (most := limits().groups_per_connection) and len(groups) > most:
        counters.limited["groups_per_connection"] += 1
        raise TooManyGroups(f"A request may name {most} groups: leave some out.")
    for group in groups:
        check_group(group)
    if most and last_event_id.count(",") > most:
        counters.limited["groups_per_connection"] += 1
        raise TooManyGroups(f"A Last-Event-ID may name {most} groups: send it as the last event had it.")
    fields = {name: Field(query.get(name, ())) for name in ("last", "presence", "info")}
    fields["since"] = Field([*query.get("since", ()), *_halves(query)])
    told = Field([item for item in last_event_id.split(",") if item])
    return [_of(group, {name: field.of(group) for name, field in fields.items()}, told) for group in groups]


def text_of(position: Position) -> str:
    """Return a position as `since` and `Last-Event-ID` have it."""
    return f"{position.epoch}:{position.offset}"


def _halves(query: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the position that is given as `epoch` and `offset`."""
    epoch, offset = (query.get(name, [""])[-1] for name in ("epoch", "offset"))
    if bool(epoch) != bool(offset):
        raise BadFrame("Send both epoch and offset, as the answer before had them, or none of them.")
    return [f"{epoch}:{offset}"] if epoch else []


def _of(group: str, values: Mapping[str, str | None], told: Field) -> Wanted:
    since, last, presence, info = (values[name] for name in ("since", "last", "presence", "info"))
    position, cursor = _place(told.of(group) or since)
    if presence not in (None, *YES, *NO):
        raise BadFrame(f"`presence` must be 1 or 0, not {presence!r}.")
    return Wanted(group, position, cursor, _count(last), presence in YES, _json(info))


def _place(text: str | None) -> tuple[Position | None, str | None]:
    if text is None:
        return None, None
    if CURSOR.fullmatch(text):
        return None, text
    return position_of(text), None


def position_of(text: str) -> Position:
    """Return the position of a text. Raise BadFrame."""
    match = POSITION.fullmatch(text)
    if match is None or int(match[2]) > OFFSET_LIMIT:
        raise BadFrame("A position is <epoch>:<offset>, as the answer before had it; for example f3a9:7.")
    return Position(match[1], int(match[2]))


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
