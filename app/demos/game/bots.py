"""Bots: players without a person, who walk to a near gem. What the fleet spends on them is told by its board."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from demos.dashboard.board import FLEET
from demos.game.arena import HEIGHT, RATE, SPEED, WIDTH
from demos.game.rounds import Gem, round_at
from fanout.client import NotConnected, Publication, Unacknowledged, connect
from fanout.errors import FanoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fanout.client import Client

TICKET_LIMIT = 10.0
"""Seconds for a ticket."""
PACE = 0.6
"""Of SPEED: a person is to have a chance against one that never looks away."""
TASTE = 400.0
"""Units that a bot walks further for one gem than for another: else all would walk to the same one."""
NAMES = ("Ada", "Alan", "Barbara", "Dennis", "Donald", "Edsger", "Frances", "Grace", "Ken", "Leslie", "Radia", "Tony")


class BotsError(Exception):
    """The bots can't play; the text says why and what to do."""


@dataclass(slots=True)
class Gems:
    """What is known of an arena's gems: which are taken in which round."""

    taken: set[tuple[int, int]] = field(default_factory=set)
    claims: int = 0

    def hear(self, data: Any) -> None:
        """Take a publication of the gems' stream."""
        if isinstance(data, dict) and "gem" in data:
            self.taken.add((data["round"], data["gem"]))
            self.claims += 1


@dataclass(slots=True)
class Fleet:
    """What each replica has said last of its CPU: seconds since it began."""

    cpu: dict[str, float] = field(default_factory=dict)

    def hear(self, data: Any) -> None:
        """Take a publication of the fleet's board."""
        if isinstance(data, dict) and "cpu_seconds" in data:
            self.cpu[data["replica"]] = data["cpu_seconds"]

    def spent_since(self, before: dict[str, float]) -> float:
        """Return the CPU seconds of the replicas that were there before and still are."""
        return sum(max(0.0, now - before[name]) for name, now in self.cpu.items() if name in before)


@dataclass(frozen=True, slots=True)
class Tally:
    """What has happened up to a moment, or between two."""

    seconds: float
    steps: int
    heard: int
    """Steps of others, over all bots."""
    gems: int
    own_cpu: float
    """Seconds of this process."""
    fleet_cpu: float | None
    """Seconds of all replicas; None if they said nothing."""


class Bot:
    """One player. Pure: `step` says where it goes next."""

    def __init__(self, name: str, arena: str, seed: int) -> None:
        self.name, self.arena, self._seed = name, arena, seed
        self._random = random.Random(seed)  # noqa: S311 - a game's dice
        self.x, self.y = self._random.uniform(0, WIDTH), self._random.uniform(0, HEIGHT)
        self._stroll = (self.x, self.y)

    def step(self, gems: Gems, seconds: float, now: float) -> None:
        """Walk for so long, to a near gem that nobody has, or about."""
        current = round_at(self.arena, now)
        there = [
            gem
            for gem in current.gems
            if now - current.begins >= gem.after and (current.number, gem.number) not in gems.taken
        ]
        best = min(there, key=self._effort, default=None)
        goal = (best.x, best.y) if best else self._stroll
        if not best and self._distance(self._stroll) < 1:
            self._stroll = (self._random.uniform(0, WIDTH), self._random.uniform(0, HEIGHT))
        distance = self._distance(goal)
        part = min(1.0, PACE * SPEED * seconds / distance) if distance else 0.0
        self.x += (goal[0] - self.x) * part
        self.y += (goal[1] - self.y) * part

    def _effort(self, gem: Gem) -> float:
        """Return how far a gem is, by this bot's own taste."""
        return self._distance((gem.x, gem.y)) + TASTE * ((gem.number * 37 + self._seed * 61) % 100) / 100

    def _distance(self, place: tuple[float, float]) -> float:
        return math.hypot(place[0] - self.x, place[1] - self.y)


class Troop:
    """Bots on a fleet, each with a connection of its own."""

    def __init__(self, base_url: str, arena: str, count: int) -> None:
        self._base = base_url.rstrip("/")
        self._socket_url = f"ws{self._base.removeprefix('http')}/ws/"
        self._arena = arena
        self._bots = [Bot(_name(number), arena, number) for number in range(count)]
        self._gems = Gems()
        self.fleet = Fleet()
        self.steps = self.heard = 0
        self.refused: dict[str, int] = {}
        self.playing = asyncio.Event()
        """All have begun."""
        self._begun = 0

    async def measure(self, seconds: float) -> Tally:
        """Return what happens within so many seconds from now."""
        loop = asyncio.get_running_loop()
        begun, own, fleet = loop.time(), time.process_time(), dict(self.fleet.cpu)
        steps, heard, gems = self.steps, self.heard, self._gems.claims
        await asyncio.sleep(seconds)
        return Tally(
            loop.time() - begun,
            self.steps - steps,
            self.heard - heard,
            self._gems.claims - gems,
            time.process_time() - own,
            self.fleet.spent_since(fleet) if fleet else None,
        )

    async def listen(self) -> None:
        """Hear what the fleet says of itself and of the gems."""
        async with connect(self._socket_url, [FLEET, f"gems.{self._arena}"], last=200) as client:
            async for event in client:
                if isinstance(event, Publication):
                    (self.fleet if event.group == FLEET else self._gems).hear(event.data)

    async def play(self) -> None:
        """Let all bots play until this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for bot in self._bots:
                group.create_task(self._play(bot))

    async def _play(self, bot: Bot) -> None:
        ticket = await asyncio.to_thread(self.ticket)
        group = f"game.{self._arena}"
        async with connect(self._socket_url, [group]) as client:
            hearing = asyncio.create_task(self._hear(client))
            try:
                await self._walk(bot, client, group, ticket)
            finally:
                hearing.cancel()

    async def _hear(self, client: Client) -> None:
        async for event in client:
            self.heard += isinstance(event, Publication)

    async def _walk(self, bot: Bot, client: Client, group: str, ticket: str) -> None:
        known: str | None = None
        async for seconds in _beats(1 / RATE):
            hello = {} if client.replica == known else {"ticket": ticket, "name": bot.name}
            if not hello:
                bot.step(self._gems, seconds, time.time())
            try:
                await client.publish(group, {"x": round(bot.x), "y": round(bot.y), **hello})
            except (FanoutError, NotConnected, Unacknowledged) as error:
                known = None  # whatever it was, saying who we are does no harm
                self.refused[str(error)] = self.refused.get(str(error), 0) + 1
                continue
            self.steps += 1
            if hello:
                known = client.replica
                self._begun += 1
                if self._begun == len(self._bots):
                    self.playing.set()

    def ticket(self) -> str:
        """Return a new player's ticket; blocks. Raise BotsError."""
        url = f"{self._base}/game/ticket"
        try:
            with urlopen(url, timeout=TICKET_LIMIT) as answer:  # noqa: S310 - the operator names it
                return str(json.load(answer)["ticket"])
        except (URLError, OSError, ValueError, KeyError) as error:
            why = getattr(error, "reason", error)
            raise BotsError(
                f"No ticket came from {url}: {why}. Is the fleet up (make up), and this its address?"
            ) from error


def _name(number: int) -> str:
    name = NAMES[number % len(NAMES)]
    return name if number < len(NAMES) else f"{name} {number // len(NAMES) + 1}"


async def _beats(every: float) -> AsyncIterator[float]:
    """Yield `every` so many seconds how many have passed; what was missed is not made up for."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    due = before + every * random.random()  # noqa: S311 - so that not all step at once
    while True:
        await asyncio.sleep(due - loop.time())
        now = loop.time()
        yield now - before
        before, due = now, max(due + every, now)
