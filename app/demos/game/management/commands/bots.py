"""`manage.py bots 50`: let bots play on a running fleet, and print what a player costs its replicas."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from demos.chat.rooms import RULE, is_room_name
from demos.game.arena import RATE
from demos.game.bots import BotsError, Troop
from fanout.client import ClientError
from fanout.errors import FanoutError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

BOTS_LIMIT = 500
"""One process drives no more: above that its own CPU is what is measured."""
BEGIN_LIMIT = 30.0
"""Seconds in which all bots must be in."""
BASELINE = 3.0
"""Seconds in which the fleet is measured without bots, and in which a board that nobody watched wakes up."""
SETTLE = 2.0
"""Seconds between the last one's arrival and the measurement."""


class Command(BaseCommand):
    """Every error is a sentence and an exit code of 1."""

    help = "Let bots play on a running fleet and print the replicas' CPU per player."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; a client needs none of them

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("count", metavar="COUNT", type=int, help=f"bots, 1 to {BOTS_LIMIT}")
        parser.add_argument("--url", default="http://localhost:8080", help="address of the fleet; %(default)s")
        parser.add_argument("--arena", default="main", help="where they play; %(default)s")
        parser.add_argument("--seconds", type=float, default=20.0, help="how long they are measured; %(default)s")

    def handle(self, *_: Any, count: int, url: str, arena: str, seconds: float, **_options: Any) -> None:
        """Play, measure, print."""
        if not 1 <= count <= BOTS_LIMIT:
            raise CommandError(f"COUNT must be 1 to {BOTS_LIMIT}, not {count}: run several commands for more.")
        if not url.startswith(("http://", "https://")):
            raise CommandError(f"--url must begin with http:// or https://, not {url!r}.")
        if not is_room_name(arena):
            raise CommandError(f"--arena must be {RULE}.")
        if not seconds > 0:
            raise CommandError("--seconds must be more than 0.")
        try:
            asyncio.run(self._run(Troop(url, arena, count), count, seconds))
        except* (BotsError, ClientError, FanoutError) as errors:
            raise CommandError(str(_first(errors))) from None
        except* TimeoutError:
            raise CommandError(
                f"Not all {count} bots were in within {BEGIN_LIMIT:g} s: the fleet is too busy."
            ) from None
        except* KeyboardInterrupt:
            self.stdout.write("stopped")

    async def _run(self, troop: Troop, count: int, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(troop.listen())]
            idle = await _cpu_per_second(troop, BASELINE)
            self.stdout.write(f"{count} bots go in …")
            self.stdout.flush()
            tasks.append(group.create_task(troop.play()))
            async with asyncio.timeout(BEGIN_LIMIT):
                await troop.playing.wait()
            await asyncio.sleep(SETTLE)
            steps, heard, claims, own = troop.steps, troop.heard, troop.claims, time.process_time()
            busy = await _cpu_per_second(troop, seconds)
            own = (time.process_time() - own) / (seconds + 1)
            figures = [(troop.steps - steps) / seconds, (troop.heard - heard) / seconds, troop.claims - claims, own]
            for task in tasks:
                task.cancel()
        self._report(troop, count, seconds, figures, (idle, busy))

    def _report(
        self, troop: Troop, count: int, seconds: float, figures: list[float], cpu: tuple[float | None, float | None]
    ) -> None:
        steps, heard, claims, own = figures
        self.stdout.write(
            f"{count} players for {seconds:g} s: {steps:,.0f} steps a second (asked for {count * RATE:,})"
        )
        self.stdout.write(f"{heard:,.0f} steps of others heard a second, {claims:g} gems taken")
        self.stdout.write(f"CPU of this process: {1000 * own:.0f} ms a second; near 1,000 it holds the bots up")
        for sentence, times in troop.refused.items():
            self.stdout.write(f"refused {times} times: {sentence}")
        idle, busy = cpu
        if idle is None or busy is None:
            self.stdout.write("CPU: unknown, the fleet's board said nothing")
            return
        self.stdout.write(
            f"CPU of all replicas: {1000 * busy:.0f} ms a second, {1000 * idle:.0f} ms without them:"
            f" {1000 * (busy - idle) / count:.2f} ms a second per player"
        )


async def _cpu_per_second(troop: Troop, seconds: float) -> float | None:
    """Return the CPU seconds a second of the replicas; None if none of them said anything."""
    await asyncio.sleep(min(1.0, seconds / 2))
    before = dict(troop.fleet.cpu)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.sleep(seconds)
    return troop.fleet.spent_since(before) / (loop.time() - begun) if before else None


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is no group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
