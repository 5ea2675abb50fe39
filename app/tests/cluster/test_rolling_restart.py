"""`make restart` under load: what clients that resume notice of a deploy."""

import asyncio
import statistics
from collections import Counter

import pytest

from fanout.client import Joined, Publication, Reset, connect

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GROUP = "chat.deploy"
CLIENTS, EVERY = 150, 0.05
"""Clients, and seconds between two publications: some 3,000 deliveries a second."""
USUAL, WORST = 2, 5
"""Seconds of silence that 99 of 100 clients, and all, may notice."""
SECONDS = 100


class Subscriber:
    """Follows the group over all its connections, and notes when it heard what."""

    def __init__(self, url):
        self.numbers, self.heard, self.joins, self.resets = [], [], [], []
        self._client = connect(url, [GROUP])
        self.ready = asyncio.Event()

    async def run(self, last):
        clock = asyncio.get_running_loop().time
        async with self._client as client:
            async for event in client:
                match event:
                    case Publication(data=data):
                        self.numbers.append(int(data["message"]))
                        self.heard.append(clock())
                        if last.done() and self.numbers[-1] == last.result():
                            return
                    case Joined(replica=replica):
                        self.joins.append((replica, clock()))
                        self.ready.set()
                    case Reset():
                        self.resets.append(event)

    @property
    def silence(self):
        """The longest time without a publication, in seconds."""
        return max(after - before for before, after in zip(self.heard, self.heard[1:], strict=False))


async def publish(url, until):
    """Publish numbers until the event is set; return the last."""
    number = 0
    async with connect(url) as client:
        while not until.is_set():
            number += 1
            await client.publish(GROUP, {"message": str(number)})
            await asyncio.sleep(EVERY)
    return number


async def test_a_deploy_loses_nothing(own_fleet, record_property):
    """Every replica is restarted while numbers are published: none is lost or doubled, and nobody waits long."""
    url, restarted = f"{own_fleet.ws_url}/ws/", asyncio.Event()
    last = asyncio.get_running_loop().create_future()
    subscribers = [Subscriber(url) for _ in range(CLIENTS)]
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(subscriber.run(last)) for subscriber in subscribers]
        await asyncio.gather(*(subscriber.ready.wait() for subscriber in subscribers))
        publishing = tasks.create_task(publish(url, restarted))
        await asyncio.to_thread(own_fleet.make, "restart")
        restarted.set()
        last.set_result(await publishing)
        if not all(subscriber.numbers[-1:] == [last.result()] for subscriber in subscribers):
            await asyncio.gather(*following)
        for task in following:
            task.cancel()
    for subscriber in subscribers:
        assert subscriber.resets == []
        assert subscriber.numbers == list(range(1, last.result() + 1))
        assert len({replica for replica, _ in subscriber.joins}) >= 2, "the restart reached nobody"
    silences = sorted(subscriber.silence for subscriber in subscribers)
    usual = statistics.quantiles(silences, n=100)[98]
    joins = [at for subscriber in subscribers for _, at in subscriber.joins[1:]]
    peak = max(Counter(int(at) for at in joins).values())
    print(  # noqa: T201 - the figures are the proof
        f"\n{CLIENTS} clients, {last.result()} publications, {len(joins)} reconnects, at most {peak} in one second;"
        f" silence: median {statistics.median(silences):.2f} s, p99 {usual:.2f} s, worst {silences[-1]:.2f} s"
    )
    assert usual < USUAL
    assert silences[-1] < WORST
