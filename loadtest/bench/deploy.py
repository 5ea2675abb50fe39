"""Clients that resume while every replica is restarted, and what they noticed of it."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from fanout.client import Joined, Publication, Reset, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GROUP = "chat.deploy"
CLIENTS = 150
EVERY = 0.05
"""Seconds between two publications: with CLIENTS 3,000 deliveries a second, which leaves the cores to the deploy."""
SECONDS = 120
"""For all of it."""


class Subscriber:
    """Follows the group over all its connections, and notes when it heard what."""

    def __init__(self, url: str) -> None:
        self.numbers: list[int] = []
        self.joined: list[float] = []
        self.heard: list[float] = []
        self.resets = 0
        self.ready = asyncio.Event()
        self._client = connect(url, [GROUP])

    async def run(self, last: asyncio.Future[int]) -> None:
        """Follow until the last publication has come."""
        clock = asyncio.get_running_loop().time
        async with self._client as client:
            async for event in client:
                match event:
                    case Publication(data=data):
                        self.numbers.append(int(data["message"]))
                        self.heard.append(clock())
                    case Joined():
                        self.joined.append(clock())
                        self.ready.set()
                    case Reset():
                        self.resets += 1
                if last.done() and self.numbers[-1:] == [last.result()]:
                    return

    @property
    def silence(self) -> float:
        """The longest time without a publication, in seconds."""
        return max((after - before for before, after in pairwise(self.heard)), default=float("inf"))


@dataclass(frozen=True)
class Noticed:
    """What a deploy came to."""

    publications: int
    lost: int
    """Deliveries that never came, over all clients."""
    doubled: int
    disordered: int
    resets: int
    returned: int
    """Clients that joined again: all, or the deploy was none. A late one may find its own slot again, served anew."""
    reconnects: int
    peak: int
    """Joins in the busiest second."""
    silences: Sequence[float]
    """The longest silence of each client in seconds, in ascending order."""

    @property
    def usual(self) -> float:
        """The silence that 99 of 100 clients did not exceed."""
        return statistics.quantiles(self.silences, n=100)[98]

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{len(self.silences)} clients, {self.publications} publications: {self.lost} lost, {self.doubled} doubled,"
            f" {self.disordered} out of order, {self.resets} resets; {self.reconnects} reconnects, at most {self.peak}"
            f" in a second; silence p50 {statistics.median(self.silences):.2f} s, p99 {self.usual:.2f} s,"
            f" worst {self.silences[-1]:.2f} s"
        )


async def during(restart: Callable[[], object], url: str) -> Noticed:
    """Publish to CLIENTS subscribers while `restart` runs in a thread; return what they noticed."""
    done, last = asyncio.Event(), asyncio.get_running_loop().create_future()
    subscribers = [Subscriber(url) for _ in range(CLIENTS)]
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        for subscriber in subscribers:
            tasks.create_task(subscriber.run(last))
        await asyncio.gather(*(subscriber.ready.wait() for subscriber in subscribers))
        publishing = tasks.create_task(_publish(url, done))
        await asyncio.to_thread(restart)
        done.set()
        number = await publishing
        last.set_result(number + 1)
        await _publish_one(url, number + 1)
    return _judge(subscribers, number + 1)


async def _publish(url: str, done: asyncio.Event) -> int:
    """Publish numbers until the event is set; return the last."""
    number = 0
    async with connect(url) as client:
        while not done.is_set():
            number += 1
            await client.publish(GROUP, {"message": str(number)})
            await asyncio.sleep(EVERY)
    return number


async def _publish_one(url: str, number: int) -> None:
    async with connect(url) as client:
        await client.publish(GROUP, {"message": str(number)})


def _judge(subscribers: Sequence[Subscriber], last: int) -> Noticed:
    joins = sorted(at for subscriber in subscribers for at in subscriber.joined[1:])
    return Noticed(
        publications=last,
        lost=sum(last - len(set(subscriber.numbers)) for subscriber in subscribers),
        doubled=sum(len(subscriber.numbers) - len(set(subscriber.numbers)) for subscriber in subscribers),
        disordered=sum(before > after for each in subscribers for before, after in pairwise(each.numbers)),
        resets=sum(subscriber.resets for subscriber in subscribers),
        returned=sum(len(subscriber.joined) > 1 for subscriber in subscribers),
        reconnects=len(joins),
        peak=max(Counter(int(at) for at in joins).values(), default=0),
        silences=sorted(subscriber.silence for subscriber in subscribers),
    )
