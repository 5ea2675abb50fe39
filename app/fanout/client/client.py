"""The asyncio client: one socket after the other around the core, on the package websockets."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from fanout import close_codes
from fanout.client.core import Core
from fanout.client.dial import dial
from fanout.client.errors import Closed, NotConnected, Unacknowledged
from fanout.client.events import Joined, Later, Publication, Refused, Reset, Settled
from fanout.client.inbox import Inbox
from fanout.client.traffic import ANSWER_LIMIT, Traffic
from fanout.client.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType

    from websockets.asyncio.client import ClientConnection

    from fanout.client.events import Event
    from fanout.positions import Position

PUBLISH_LIMIT = 60.0
"""Seconds after which a publication is given up: far below the server's memory for keys (5 minutes)."""

CONNECTED = "connected"
"""What is waited for beside the answers to joins (`_join(group)`) and tickets."""


def connect(  # noqa: PLR0913 - each is optional and has a name
    url: str,
    groups: Iterable[str] = (),
    *,
    last: int = 0,
    since: Mapping[str, Position] | None = None,
    unix: str | PathLike[str] | None = None,
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = ANSWER_LIMIT,
    **options: Any,
) -> Client:
    """Return a client, to be entered by `async with`: it is connected then, and in all `groups`.

    `last` older publications of each group come first (0 to 1000), or what lies behind its position in `since`.
    `unix` is the path of a unix socket, `origin` and `headers` (cookies, say) go into the handshake. `ticket` is a
    coroutine function that returns a new ticket (`POST /tickets`) for each handshake; the other `options` are those of
    `websockets.connect` (`ssl`, `proxy`, …). TLS is chosen by `wss://`.

    Entering tries again for `timeout` seconds while the server can't be reached. It raises NotConnected then;
    HandshakeRefused for what would be refused again (403 for an Origin that is not trusted, 404 for a path, another
    subprotocol); the server's own `fanout.errors`, as Forbidden, when a group is refused; ValueError for a bad URL.
    """
    wanted = {group: {"since": (since or {}).get(group), "last": last} for group in groups}
    return Client(url, unix, timeout, wanted, options | {"origin": origin, "additional_headers": headers})


class Client:
    """A client of `fanout.v1` that comes back by itself when the connection is lost. Made by `connect`.

    Iterate to get what arrives: Publication, Reset, Joined (after a join, and after each reconnect) and Refused.

    Durable group: every publication once, in order, over all reconnects and replicas, or a Reset tells that some are
    missing. A publication is in the group once when `publish` has returned, whatever the connection did meanwhile, and
    the order of one group's publications is kept.

    Ephemeral group: what is published while the connection is lost does not arrive, and nothing is sent twice.

    Memory is bounded: who is slow to iterate lets the socket be read no further (1 MiB waits at most), and is closed by
    the server in the end (4008), which resumes by itself. While `publish`, `join` or `leave` waits for its answer the
    socket is read on; what finds no room then is recovered later (durable) or superseded (ephemeral).

    The iteration ends when the client is closed, or raises Closed or HandshakeRefused when the server does not want it
    back. One task at a time may iterate; any task may publish. All on the loop on which it was entered.
    """

    def __init__(
        self,
        url: str,
        unix: str | PathLike[str] | None,
        patience: float,
        wanted: dict[str, dict[str, Any]],
        options: dict[str, Any],
    ) -> None:
        self._dial = partial(dial, url, unix, options)
        self._patience = patience
        self._wanted = wanted
        self._core = Core()
        self._waiters = Waiters()
        self._inbox = Inbox(hurry=self._waiters.__bool__)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._why: Exception | None = None
        self._error: Exception | None = None
        self._over = False
        self.replica: str | None = None
        """Who took the newest connection."""

    # -- the user's side ------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect and join."""
        self._check()
        try:
            for group, options in self._wanted.items():
                self._want(group, **options)
            answers = [self._waiters.expect(key) for key in (CONNECTED, *map(_join, self._wanted))]
            self._task = asyncio.create_task(self._run())
            async with asyncio.timeout(self._patience):
                for answer in answers:
                    await answer
        except TimeoutError:
            await self.close()
            raise NotConnected(f"There was no answer within {self._patience:g} s. {self._why or ''}") from self._why
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def __aiter__(self) -> Self:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Publication | Reset | Joined | Refused:
        """Return what arrived next."""
        event = await self._inbox.get()
        if self._core.skipped and self._inbox.is_calm:
            self._core.resume()
            self._wake.set()
        if isinstance(event, Publication | Reset | Joined | Refused):
            return event
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def publish(self, group: str, data: Any, key: str | None = None) -> Position | None:
        """Publish; return the position when it is acknowledged, None in an ephemeral group.

        Without a `key` it gets one of its own. When the connection is lost it is sent again with the same key, which
        makes one publication of all attempts; to a group that is known as ephemeral it is sent once.

        Raise BadGroup or BadData for what can't be sent, the server's `fanout.errors` for what it refuses (Forbidden,
        KeyConflict, …); after PUBLISH_LIMIT NotConnected if it was never sent, Unacknowledged if it may be there.
        Cancelled (`asyncio.timeout`), it may be there too.
        """
        self._check()
        ticket = self._core.publish(group, data, key)
        try:
            async with asyncio.timeout(PUBLISH_LIMIT):
                position: Position | None = await self._answer(ticket)
        except TimeoutError:
            raise self._core.give_up(ticket) or Unacknowledged("The answer came too late.") from None
        finally:
            self._waiters.settle(ticket)
            self._core.give_up(ticket)
            self._wake.set()
        return position

    async def join(self, group: str, *, since: Position | None = None, last: int = 0) -> None:
        """Be in the group, now and after every reconnect; return when the server has said so.

        Its publications begin behind `since`, or with the `last` older ones (0 to 1000), or with now. Does nothing
        if the client is in it. Raise BadGroup, or the server's `fanout.errors` (Forbidden, …).
        """
        self._check()
        self._want(group, since=since, last=last)
        if _join(group) in self._waiters:
            await self._answer(_join(group))

    async def leave(self, group: str) -> None:
        """Be in the group no more: nothing of it arrives behind what has arrived already."""
        ticket = self._core.leave(group)
        self._waiters.settle(_join(group), error=NotConnected(f"{group} was left before it was joined."))
        if ticket is not None:
            await self._answer(ticket)

    def position(self, group: str) -> Position | None:
        """Return the position behind what has arrived of a durable group.

        What was not iterated over yet is behind the user, not behind this: to go on after a restart store the
        `position` of the last Publication that was dealt with.
        """
        return self._core.position(group)

    async def close(self) -> None:
        """Say goodbye; what is not acknowledged is given up. Harmless when repeated."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._finish(None)

    # -- who waits for what -----------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._over:
            raise self._error or NotConnected("This client is closed: make another one.")

    def _want(self, group: str, *, since: Position | None, last: int) -> None:
        if self._core.join(group, since=since, last=last):
            self._waiters.expect(_join(group))

    async def _answer(self, key: Hashable) -> Any:
        self._waiters.expect(key)
        self._wake.set()
        self._inbox.look()  # the answer may stand behind what there is no room for
        return await self._waiters.wait(key)

    def _act(self, events: Iterable[Event], size: int = 0) -> None:
        """Do what events say that came in a frame of `size` bytes."""
        for event in events:
            match event:
                case Settled(ticket=ticket, position=position, error=error):
                    self._waiters.settle(ticket, position, error)
                case Later(seconds=seconds):
                    asyncio.get_running_loop().call_later(seconds, self._again, event)
                case Refused(group=str(group), error=error) if self._waiters.settle(_join(group), error=error):
                    pass  # who waits for it is told
                case Joined(group=group):
                    self._waiters.settle(_join(group))
                    if self._inbox.has_room:  # who never iterates gets one a reconnect: they must not pile up
                        self._inbox.put(event, size)
                case _:
                    self._inbox.put(event, size)

    def _again(self, later: Later) -> None:
        later.again()
        self._wake.set()

    def _finish(self, error: Exception | None) -> None:
        """There will be no connection any more: tell everybody who waits."""
        if self._over:
            return
        self._over, self._error = True, error
        self._act(self._core.close())
        self._waiters.end(error or NotConnected("The client was closed."))
        self._inbox.end()

    # -- the connections --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Make one connection after the other."""
        error: Exception | None = None
        try:
            while True:
                delay = await self._one()
                await asyncio.sleep(delay)
        except Exception as final:  # noqa: BLE001 - whatever it is, who iterates or waits gets it
            error = final
        finally:
            self._finish(error)

    def _begin(self, socket: ClientConnection) -> None:
        self.replica = socket.response.headers.get("X-Replica") if socket.response else None
        self._core.opened()
        self._waiters.settle(CONNECTED)

    async def _one(self) -> float:
        """Make a connection and use it until it ends; return the seconds until the next. Raise what is final."""
        code, reason, held = close_codes.ABNORMAL, "", 0.0
        try:
            socket = await self._dial()
        except NotConnected as error:
            self._why = error
        else:
            began = asyncio.get_running_loop().time()
            self._begin(socket)
            code, reason = await Traffic(socket, self._core, self._inbox, self._wake, self._act).run()
            held = asyncio.get_running_loop().time() - began
        delay, events = self._core.lost(code, held)
        self._act(events)
        if delay is None:
            raise Closed(code, reason)
        return delay


def _join(group: str) -> tuple[str, str]:
    return "join", group
