"""`manage.py prepare`: what comes once before replicas start, in one process: each takes a second to begin."""

from __future__ import annotations

import hashlib
import inspect
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from collections.abc import Iterator

FOR_THE_OWNER = 0o077
"""The umask for a database: it holds sessions."""
COLLECTED = ".collected"
"""Of which files the collected ones were made, beside them; missing while they are being written."""


class Command(BaseCommand):
    """Judges the settings, migrates the database, collects static files."""

    help = "Check the settings, migrate the database, and collect the static files where one has changed."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; `migrate` makes the checks

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Do it; harmless when repeated."""
        with _umask(FOR_THE_OWNER):
            call_command("migrate", interactive=False, verbosity=0, skip_checks=False)
        collected, sources = Path(settings.STATIC_ROOT, COLLECTED), _digest_of_sources()
        if not collected.exists() or collected.read_text() != sources:
            collected.unlink(missing_ok=True)
            call_command("collectstatic", interactive=False, verbosity=0)
            collected.write_text(sources)


def _digest_of_sources() -> str:
    """Return a hash of all that `collectstatic` would read, and of how it would store it."""
    digest = hashlib.sha256(inspect.getsource(import_string(settings.STORAGES["staticfiles"]["BACKEND"])).encode())
    for finder in get_finders():
        for path, storage in finder.list(None):
            digest.update(f"{getattr(storage, 'prefix', None)} {path}\0".encode())
            with storage.open(path) as file:
                digest.update(file.read())
    return digest.hexdigest()


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
