"""`manage.py bots 50`: let bots play on a running fleet, and print what a player costs its replicas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from demos.game.arena import RATE
from demos.game.bots import BotsError, Tally, Troop
from demos.rooms import RULE, is_room_name
from fanout.client import ClientError
from fanout.errors import FanoutError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

BOTS_LIMIT = 500
"""One process drives no more: above that its own CPU is what is measured."""
BEGIN_LIMIT = 30.0
"""Seconds in which all bots must be in."""
WAKING = 1.5
"""Seconds for a board that nobody watched to wake up, and for the last bot to begin to walk."""
BASELINE = 3.0
"""Seconds in which the fleet is measured without bots."""


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
        failure = ""  # raised behind them: some versions of Python put into a group what an `except*` raises
        try:
            asyncio.run(self._run(Troop(url, arena, count), count, seconds))
        except* (BotsError, ClientError, FanoutError) as errors:
            failure = str(_first(errors))
        except* TimeoutError:
            failure = f"Not all {count} bots were in within {BEGIN_LIMIT:g} s: the fleet is too busy."
        except* KeyboardInterrupt:
            self.stdout.write("stopped")
        if failure:
            raise CommandError(failure)

    async def _run(self, troop: Troop, count: int, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            await asyncio.to_thread(troop.ticket)  # a wrong address is told at once
            tasks = [group.create_task(troop.listen())]
            await asyncio.sleep(WAKING)
            idle = await troop.measure(BASELINE)
            self.stdout.write(f"{count} bots go in …")
            self.stdout.flush()
            tasks.append(group.create_task(troop.play()))
            async with asyncio.timeout(BEGIN_LIMIT):
                await troop.playing.wait()
            await asyncio.sleep(WAKING)
            busy = await troop.measure(seconds)
            for task in tasks:
                task.cancel()
        self._report(troop, count, idle, busy)

    def _report(self, troop: Troop, count: int, idle: Tally, busy: Tally) -> None:
        def rate(number: float) -> str:
            return f"{number / busy.seconds:,.0f}"

        say = self.stdout.write
        say(f"{count} players for {busy.seconds:.0f} s: {rate(busy.steps)} steps a second (asked for {count * RATE:,})")
        say(f"{rate(busy.heard)} steps of others heard a second, {busy.gems} gems taken")
        say(f"CPU of this process: {rate(1000 * busy.own_cpu)} ms a second; near 1,000 it holds the bots up")
        for sentence, times in troop.refused.items():
            say(f"refused {times} times: {sentence}")
        if idle.fleet_cpu is None or busy.fleet_cpu is None:
            say("CPU of the replicas: unknown, the fleet's board said nothing")
            return
        now, before = 1000 * busy.fleet_cpu / busy.seconds, 1000 * idle.fleet_cpu / idle.seconds
        say(
            f"CPU of all replicas: {now:.0f} ms a second, {before:.0f} ms without the bots:"
            f" {(now - before) / count:.2f} ms a second per player"
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is no group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
