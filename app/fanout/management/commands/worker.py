"""`manage.py worker`: the background process, which runs what the apps have registered in `fanout.jobs`."""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from fanout.jobs import registered
from fanout.status_socket import metrics_port, status_socket
from fanout.worker import work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.core.management.base import CommandParser

    from fanout.worker import Worker


class Command(BaseCommand):
    """Ends with exit code 0 on SIGTERM; every error at its start is a sentence and an exit code of 1."""

    help = "Run the background jobs: copy streams to the archive, and what else the apps have registered."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("--socket", type=Path, help="unix socket on which GET /readyz tells how the jobs do")
        parser.add_argument("--metrics-port", type=int, help="port on which GET /metrics tells it to Prometheus, too")
        parser.add_argument("--pid-file", type=Path, help="where to write the process id")

    def handle(
        self, *_: Any, socket: Path | None, metrics_port: int | None, pid_file: Path | None, **_options: Any
    ) -> None:
        """Work until the process is told to end."""
        if pid_file is not None:
            pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            asyncio.run(work(registered(), partial(_listen, socket, metrics_port)))
        except (ImproperlyConfigured, OSError) as error:
            raise CommandError(getattr(error, "strerror", None) or str(error)) from error
        finally:
            if pid_file is not None:
                pid_file.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _listen(socket: Path | None, port: int | None, worker: Worker) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as listening:
        if socket is not None:
            await listening.enter_async_context(status_socket(socket, worker.status))
        if port is not None:
            await listening.enter_async_context(metrics_port(port, worker.status))
        yield
