"""What a change to a text may hold: Yjs' updates (version 1), read before anything else touches them.

Yjs and its Rust port decode more than texts: values nested without bound, other types, documents within documents. Of a
stranger's bytes that is too much: 100,000 nested arrays end the process that decodes them. So this reads the few kinds
of structs that text consists of, and refuses all others.

An update is the structs of some clients, then what is deleted. All numbers are variable-length integers:

    clients, of each: structs, client, first clock, and of each struct: info, what info says, content
    clients, of each: client, ranges, and of each range: clock, length
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EMPTY = b"\0\0"
"""The update that changes nothing."""
ROOT = "text"
"""The name of the one text in a document."""

CLIENT_LIMIT = 2**53 - 1
"""Integers that JavaScript counts."""
CLOCK_LIMIT = 2**31 - 1
"""Characters that one client may ever write: what the Rust port counts, and more than anyone types."""

_GC, _DELETED, _STRING, _SKIP = 0, 1, 4, 10
_KIND, _HAS_ORIGIN, _HAS_RIGHT_ORIGIN, _HAS_KEY = 0x1F, 0x80, 0x40, 0x20
_NAMED_ROOT = 1


class NotText(ValueError):
    """The bytes are no update of a text; the message says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Struct:
    """One piece of a client's writing: clocks `first` up to before `end`."""

    first: int
    end: int
    needs: tuple[tuple[int, int], ...] = ()
    """Client and clock of what others must have written before."""
    skip: bool = False
    """It stands for clocks that are left out."""


@dataclass(slots=True)
class Change:
    """What an update speaks of, by client."""

    structs: dict[int, list[Struct]] = field(default_factory=dict)
    deleted: dict[int, int] = field(default_factory=dict)
    """One behind the last clock that is deleted."""

    def after(self, state: Mapping[int, int]) -> dict[int, int] | None:
        """Return the state vector behind it for one that has all it needs, else None: it would have to wait.

        A piece needs the one before it of its client, and those of others that it stands between.
        """
        has = {client: state.get(client, 0) for client in self.structs}
        left = {client: list(reversed(structs)) for client, structs in self.structs.items()}

        def fits(client: int, struct: Struct) -> bool:
            known = has[client] >= (struct.end if struct.skip else struct.first)
            return known and all(clock < has.get(other, state.get(other, 0)) for other, clock in struct.needs)

        before = -1
        while (count := sum(map(len, left.values()))) != before:
            before = count
            for client, structs in left.items():
                while structs and fits(client, structs[-1]):
                    has[client] = max(has[client], structs.pop().end)
        if count or any(has.get(client, state.get(client, 0)) < end for client, end in self.deleted.items()):
            return None
        return {**state, **has}


def read(update: bytes) -> Change:
    """Return what an update of a text speaks of. Raise NotText."""
    reader = _Reader(update)
    change = Change()
    try:
        for _ in range(reader.number()):
            _read_client(reader, change)
        for _ in range(reader.number()):
            _read_deletions(reader, change)
    except IndexError:
        raise NotText("it ends in the middle") from None
    if reader.at != len(update):
        raise NotText(f"{len(update) - reader.at} bytes stand behind its end")
    return change


def state_of(vector: bytes) -> dict[int, int]:
    """Return a state vector: how many clocks of each client a document has."""
    reader = _Reader(vector)
    return {reader.number(): reader.number() for _ in range(reader.number())}


def _read_client(reader: _Reader, change: Change) -> None:
    count, client, clock = reader.number(), reader.number(CLIENT_LIMIT), reader.number(CLOCK_LIMIT)
    if client in change.structs:
        raise NotText("a client stands in it twice")
    structs = change.structs[client] = []
    for _ in range(count):
        info = reader.byte()
        length, origins = _read_struct(reader, info)
        if length < 1:
            raise NotText("a struct in it is empty")
        if any(origin[0] == client and origin[1] >= clock for origin in origins):
            raise NotText("a struct in it stands behind one that comes later")
        needs = tuple(origin for origin in origins if origin[0] != client)
        structs.append(Struct(clock, clock + length, needs, skip=info == _SKIP))
        clock += length
        if clock > CLOCK_LIMIT:
            raise NotText("a client in it has written too much")


def _read_struct(reader: _Reader, info: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the struct's length in clocks, and beside which clocks it stands."""
    kind = info & _KIND
    if info in (_GC, _SKIP):
        return reader.number(CLOCK_LIMIT), []
    if kind not in (_DELETED, _STRING):
        raise NotText(f"it holds something else than text (content {kind})")
    origins = [
        (reader.number(CLIENT_LIMIT), reader.number(CLOCK_LIMIT))
        for origin in (_HAS_ORIGIN, _HAS_RIGHT_ORIGIN)
        if info & origin
    ]
    if not origins:
        if reader.number() != _NAMED_ROOT or info & _HAS_KEY:
            raise NotText("it writes into something else than the text")
        if (root := reader.text()) != ROOT:
            raise NotText(f"it writes into {root[:20]!r} and not into {ROOT!r}")
    if kind == _DELETED:
        return reader.number(CLOCK_LIMIT), origins
    text = reader.text()
    if "\r" in text:
        raise NotText("a line in it ends with a carriage return; a line ends with a line feed alone")
    return len(text.encode("utf-16-le")) // 2, origins


def _read_deletions(reader: _Reader, change: Change) -> None:
    client = reader.number(CLIENT_LIMIT)
    for _ in range(reader.number()):
        clock, length = reader.number(CLOCK_LIMIT), reader.number(CLOCK_LIMIT)
        if clock + length > CLOCK_LIMIT:
            raise NotText("it deletes what nobody can have written")
        change.deleted[client] = max(clock + length, change.deleted.get(client, 0))


class _Reader:
    """Bytes from the first to the last. What ends too early raises IndexError."""

    __slots__ = ("_bytes", "at")

    def __init__(self, data: bytes) -> None:
        self._bytes = data
        self.at = 0

    def byte(self) -> int:
        value = self._bytes[self.at]
        self.at += 1
        return value

    def number(self, limit: int = CLIENT_LIMIT) -> int:
        value = shift = 0
        while True:
            byte = self._bytes[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if value > limit:
                raise NotText("a number in it is too large")
            if byte < 0x80:  # noqa: PLR2004 - the mark that another byte follows
                return value
            shift += 7
            if shift > 63:  # noqa: PLR2004 - bits: zeros without end are a number, too
                raise NotText("a number in it is too long")

    def text(self) -> str:
        length = self.number()
        end = self.at + length
        if end > len(self._bytes):
            raise IndexError
        piece, self.at = self._bytes[self.at : end], end
        try:
            return piece.decode()
        except UnicodeDecodeError:
            raise NotText("a text in it is not UTF-8") from None
