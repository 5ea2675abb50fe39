"""Where a connection begins: its first bytes decide whether it takes the short way or Twisted's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import ServerFactory, connectionDone

from server.again import SendBack
from server.upgrade import upgrade_in

if TYPE_CHECKING:
    from server.server import Server


class Entrance:
    """A connection that has not said yet what it wants."""

    __slots__ = ("_factory", "_transport")

    def __init__(self, factory: EntranceFactory) -> None:
        self._factory = factory
        self._transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """Wait for the first bytes."""
        self._transport = transport
        self._factory.silent.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Take the short way if the bytes begin with a plain upgrade, and Twisted's otherwise; or send it back."""
        if (answer := self._factory.send_back.answer(data)) is not None:
            self._transport.write(answer)
            self._transport.loseConnection()
            return
        upgrade = upgrade_in(data)
        if upgrade is None:
            self.hand_over(data)
            return
        self._factory.silent.discard(self)
        protocol = self._factory.server.ws_factory.buildProtocol(None)
        self._transport.protocol = protocol
        protocol.makeConnection(self._transport)
        protocol.upgrade(*upgrade)

    def connectionLost(self, reason: Any = connectionDone) -> None:  # noqa: ARG002
        """It never said anything."""
        self._factory.silent.discard(self)

    def hand_over(self, data: bytes = b"") -> None:
        """Have Twisted serve the connection from its first byte, with Twisted's own limits."""
        self._factory.silent.discard(self)
        transport = self._transport
        protocol = self._factory.server.http_factory.buildProtocol(transport.getPeer())
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if data:
            protocol.dataReceived(data)


class EntranceFactory(ServerFactory):
    """Stands before Daphne's HTTP factory at a port; `silent` are the connections that have said nothing yet."""

    noisy = False

    def __init__(self, server: Server) -> None:
        self.server = server
        self.send_back = SendBack()
        self.silent: set[Entrance] = set()
        self._silent_before: set[Entrance] = set()

    def buildProtocol(self, addr: Any) -> Entrance:  # noqa: ARG002
        """Return the protocol of a new connection."""
        return Entrance(self)

    def doStop(self) -> None:
        """Stop the factory that was there when the port began to listen."""
        self.server.http_factory.doStop()

    def hand_over_silent(self) -> None:
        """Give Twisted, which cuts the idle, those who have been silent since the last call."""
        for entrance in self.silent & self._silent_before:
            entrance.hand_over()
        self._silent_before = set(self.silent)
