"""`manage.py vendor`: make the page's third-party JavaScript anew from npm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from demos.document import vendor

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Every error is a sentence and an exit code of 1."""

    help = "Make the document's third-party JavaScript (Yjs) anew from npm, as npm/package-lock.json pins it."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; files are made, nothing is served

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("--newest", action="store_true", help="take the newest versions that package.json allows")
        parser.add_argument("--check", action="store_true", help="write nothing; fail if it would make something else")

    def handle(self, *_: Any, newest: bool, check: bool, **_options: Any) -> None:
        """Make, compare, write."""
        if newest and check:
            raise CommandError("--check looks at what is pinned: leave --newest out.")
        try:
            made = vendor.make(newest=newest)
        except vendor.VendorError as error:
            raise CommandError(str(error)) from None
        stale = made.stale
        if check and stale:
            raise CommandError(f"{', '.join(stale)}: not what the lock file makes. Run manage.py vendor.")
        if stale:
            made.write()
        self.stdout.write(f"{', '.join(stale)} written." if stale else "Nothing has changed.")
