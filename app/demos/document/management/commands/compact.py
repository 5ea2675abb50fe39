"""`manage.py compact`: write the snapshots of documents that have changes which no snapshot has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from demos.document.compaction import EVERY, compact, compact_due
from demos.rooms import RULE, is_room_name
from fanout.errors import FanoutError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Every error is a sentence and an exit code of 1."""

    help = "Write the snapshots of documents: of those named, or of all that have changed. Harmless when repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("names", metavar="NAME", nargs="*", help="documents; all that have changed unless given")
        parser.add_argument("--watch", action="store_true", help=f"go on, every {EVERY:g} s, until it is stopped")

    def handle(self, *_: Any, names: list[str], watch: bool, **_options: Any) -> None:
        """Compact, and say what was done."""
        if names and watch:
            raise CommandError("--watch goes through all documents: leave the names out.")
        for name in names:
            if not is_room_name(name):
                raise CommandError(f"{name!r} is no document's name: that is {RULE}.")
        try:
            asyncio.run(self._watch() if watch else self._once(names))
        except FanoutError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database does not take it: {error}. Is it up, and migrated?") from None
        except KeyboardInterrupt:
            raise CommandError("Stopped; what was written is whole.") from None

    async def _once(self, names: list[str]) -> None:
        if not names:
            self.stdout.write(f"{await compact_due()} snapshots written.")
        for name in names:
            saved = await compact(name)
            position = f"{saved.position.epoch}:{saved.position.offset}"
            self.stdout.write(f"{name}: {len(saved.state)} bytes at {position}.")

    async def _watch(self) -> None:
        while True:
            try:
                await compact_due()
            except (FanoutError, DatabaseError) as error:
                self.stderr.write(f"Trying again in {EVERY:g} s: {error}")
            await asyncio.sleep(EVERY)
