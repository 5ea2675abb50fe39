"""The frames under way on one connection after the other, each with an id until it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Call = TypeVar("Call")


class Line(Generic[Call]):
    """A call is whatever the caller wants to find again when the answer comes."""

    def __init__(self) -> None:
        self.open = False
        self.connection = 0
        """How many there have been: tells whether what was put off belongs to an older one."""
        self._last_id = 0
        self._calls: dict[int, Call] = {}
        self._out: list[bytes] = []

    def begin(self) -> None:
        """There is a new connection."""
        self.open = True
        self.connection += 1

    def end(self) -> list[Call]:
        """The connection is lost: return the calls that nobody will answer."""
        self.open = False
        self._out.clear()
        calls, self._calls = self._calls, {}
        return list(calls.values())

    def next_id(self) -> int:
        """Return a number that was not used before."""
        self._last_id += 1
        return self._last_id

    def request(self, call: Call, frame: Callable[[int], bytes]) -> bool:
        """Send the frame that `frame` makes of an id; return False when there is no connection."""
        if self.open:
            number = self.next_id()
            self._calls[number] = call
            self._out.append(frame(number))
        return self.open

    def answered(self, number: int | None) -> Call | None:
        """Return the call of an answer, once."""
        return None if number is None else self._calls.pop(number, None)

    def outgoing(self) -> list[bytes]:
        """Return the frames to send, in order, once."""
        out, self._out = self._out, []
        return out

    @property
    def oldest(self) -> int | None:
        """The id of the frame that has waited longest for its answer; later frames have greater ones."""
        return next(iter(self._calls), None)
