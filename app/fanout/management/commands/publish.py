"""`manage.py publish GROUP [DATA] [--key K]`: publish from a shell, a script or cron."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from fanout.api import publish
from fanout.errors import FanoutError
from fanout.layers import InMemoryChannelLayer
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

STDIN = "-"


class Command(BaseCommand):
    """Prints the publication's position, `epoch:offset`; every error is a sentence and an exit code of 1."""

    help = "Publish JSON to every client of a group, on every replica; print its position as epoch:offset."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; a publication needs none of them

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("group", metavar="GROUP", help="for example score.final")
        parser.add_argument("data", metavar="DATA", nargs="?", default=STDIN, help="JSON; none or - reads stdin")
        parser.add_argument("--key", help="idempotency key: the same one within five minutes is one publication")

    def handle(self, *_: Any, group: str, data: str, key: str | None, **_options: Any) -> None:
        """Publish and print."""
        try:
            if isinstance(default_layer(), InMemoryChannelLayer):
                raise CommandError("The channel layer is in memory: no other process would hear this.")
            position = publish(group, _parse(data), key)
        except (FanoutError, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("published (ephemeral)" if position is None else f"{position.epoch}:{position.offset}")


def _parse(data: str) -> Any:
    text = sys.stdin.buffer.read() if data == STDIN else data.encode("utf-8", "surrogateescape")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"DATA is not JSON: {error}. A string needs quotes of its own: '\"hi\"'.") from error
