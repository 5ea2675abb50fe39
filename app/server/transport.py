"""Twisted's server transports, lean: nothing is made for a connection that idles, and writes go straight to the kernel.

Twisted formats two texts for each connection, pushes a log context around each read, and sends each write by way of
`add_writer`, a turn of the loop and `remove_writer`. A port makes what its `transport` says, a documented
attribute. Behaviour is unchanged, except that a write on an idle socket has left when `write` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.python import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from server.sockets import ReplicaSocket


class Lean:
    """What both kinds share."""

    connected = 1
    logstr = "connection"
    repstr = "<connection>"
    _tempDataBuffer: Any = ()  # a list while something waits
    _tempDataLen = 0
    _sendmsgQueue = ()
    passed_by: ReplicaSocket | None = None
    """Who writes to the kernel's socket without asking, as long as nothing waits here and the connection is open."""

    def _begin(self, sock: socket.socket, protocol: Any, client: Any, port: Any, *numbered: Any) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        self.client = client
        self.hostname = client[0]
        self.server = port
        self.sessionno, self.reactor = numbered
        self.startReading()

    def startReading(self) -> None:
        """Have the loop call us; Twisted's reactor knows us too, so that it can end us."""
        readers = self.reactor._readers  # noqa: SLF001 - Twisted is pinned
        if self not in readers:
            readers[self] = self.fileno()
            self.reactor._asyncioEventloop.add_reader(readers[self], self._readable)  # noqa: SLF001

    def _readable(self) -> None:
        try:
            lost = self.doRead()  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - Twisted's reactor does the same: one connection's fault is not the others'
            log.err()
            lost = error
        if lost:
            self.reactor._disconnectSelectable(self, lost, True)  # noqa: SLF001

    def write(self, data: bytes) -> None:
        """Write, at once if nothing waits before it and the kernel takes it."""
        if data and self.connected and not self._is_write_held_back():
            try:
                sent = self.socket.send(data)
            except OSError:  # full, or dead: Twisted finds out which
                sent = 0
            data = data[sent:]
        if data:
            self.writeSequence([data])

    def hold_back(self) -> None:
        """Have who writes past us ask again: something waits now, or the connection is open no more."""
        if self.passed_by is not None:
            self.passed_by.go_round()
            self.passed_by = None

    def _is_write_held_back(self) -> bool:
        """Whether bytes wait already, or a pull producer: Twisted asks that for more when the queue has run empty."""
        pulls = self.producer is not None and not self.streamingProducer  # type: ignore[attr-defined]
        return bool(self.dataBuffer or self._tempDataBuffer or self._writeDisconnected or pulls)  # type: ignore[attr-defined]

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Queue; who has passed by has to queue up behind it."""
        self.hold_back()
        if not self._tempDataBuffer:
            self._tempDataBuffer = []
        super().writeSequence(iovec)  # type: ignore[misc]


class UnixTransport(Lean, unix.Server):
    """A connection on a unix socket."""

    doRead = tcp.Server.doRead  # no descriptors are received or sent: `recv` and `send` do
    writeSomeData = tcp.Server.writeSomeData

    def __init__(self, sock: Any, protocol: Any, path: Any, port: Any, *numbered: Any) -> None:
        self._begin(sock, protocol, (path, None), port, *numbered)


class TcpTransport(Lean, tcp.Server):
    """A connection over TCP."""

    def __init__(self, sock: Any, protocol: Any, client: Any, port: Any, *numbered: Any) -> None:
        if len(client) != 2:  # noqa: PLR2004 - address and port; IPv6 has two more
            self._addressType = tcp.address.IPv6Address
        self._begin(sock, protocol, client, port, *numbered)
        self.setTcpNoDelay(True)  # as Twisted's HTTP does; autobahn's own attempt fails


LEAN = {unix.Port: UnixTransport, tcp.Port: TcpTransport}
"""The lean transport for each kind of port."""
