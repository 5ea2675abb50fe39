"""The one reader of a process: looks after all sockets on gevent's loop, without a greenlet for any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
from gevent.monkey import get_original

from proof.clients.batch import Batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from proof.clients.batch import Batch
    from proof.clients.link import Link
    from proof.clients.message import Said
    from proof.generator.clock import Clock

IN, OUT = 0x1, 0x4
"""Of epoll; gevent takes the names away."""
AT_ONCE = 256
"""Sockets read before others on the loop have their turn: some 2 ms."""

Arrivals = dict["Batch", int]


class Reader:
    """Of one process."""

    def __init__(
        self,
        clock: Clock,
        seen: Callable[[str, int, Said | None], None],
        count: Callable[[str, Arrivals, int], None],
    ) -> None:
        """`count` gets a replica, the batches that came from it and how often, and when, each time something came."""
        self.batches = Batches(seen)
        self._now = clock.now
        self._count = count
        self._links: dict[int, Link] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._epoll = get_original("select", "epoll")()
        self._watcher = gevent.get_hub().loop.io(self._epoll.fileno(), 1)
        self._watcher.start(self._read)

    def arrivals(self, replica: str) -> Arrivals:
        """Return where links of a replica count what came."""
        return self._arrivals.setdefault(replica, {})

    def add(self, link: Link) -> None:
        """Read a socket from now on; when all reading has ended, nothing happens."""
        if self._epoll.closed:
            return
        self._links[link.fd] = link
        self._epoll.register(link.fd, IN)

    def remove(self, link: Link) -> None:
        """Read it no more; harmless when repeated."""
        if self._links.pop(link.fd, None) is not None:
            self._epoll.unregister(link.fd)

    def want_write(self, link: Link, *, wanted: bool) -> None:
        """Say whether something waits to be written."""
        if link.fd in self._links:
            self._epoll.modify(link.fd, IN | OUT if wanted else IN)

    def close(self) -> None:
        """Read nothing any more."""
        self._links.clear()
        self._watcher.stop()
        self._watcher.close()
        self._epoll.close()

    def _read(self) -> None:
        events = self._epoll.poll(0, AT_ONCE)
        # What is late because this process is busy counts as late.
        now, links = self._now(), self._links
        for fd, mask in events:
            link = links.get(fd)
            if link is None:
                continue
            if mask & OUT:
                link.flush()
            if mask != OUT and (data := link.read()) is not None:
                link.receive(data)
        for replica, arrivals in self._arrivals.items():
            if arrivals:
                self._count(replica, arrivals, now)
                arrivals.clear()
