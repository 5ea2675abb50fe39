"""The worker: one process that runs the registered jobs until it is told to end, and says how they do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanout.jobs import Job

logger = logging.getLogger(__name__)

RETRY = 0.5
"""Seconds before a run that failed is tried again: of the 5 s promised, what an outage adds at its end."""
REPORT_EVERY = 60.0
"""Seconds between two lines of the log about the same."""
END_LIMIT = 5.0
"""Seconds that a run under way has to let go when the worker ends; jobs are made for being cut off."""
LATE = 5.0
"""Seconds of lag past which the worker is not well."""


class Worker:
    """Runs each job in a task of its own: one that fails or waits keeps none of the others."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._errors: dict[str, str] = {}
        """What keeps each job from its work; empty: nothing. Not there: it has not been through yet."""
        self._began = time.monotonic()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`, SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        tasks = [asyncio.create_task(self._repeat(name, job)) for name, job in self._jobs.items()]
        tasks.append(asyncio.create_task(self._report()))
        logger.info("works at %s", ", ".join(self._jobs) or "nothing: no job is registered")
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_LIMIT)
        logger.info("ended")

    def status(self) -> dict[str, Any]:
        """Return how the jobs do: `status` is ready, starting or degraded, `checks` says of each job what is wrong."""
        numbers = {name: dict(job.status()) for name, job in self._jobs.items()}
        checks = {name: self._errors.get(name, "not done yet") or _late(numbers[name]) or "ok" for name in self._jobs}
        begun = all(name in self._errors for name in self._jobs)
        well = all(verdict == "ok" for verdict in checks.values())
        return {
            "status": "ready" if well else "degraded" if begun else "starting",
            "uptime": round(time.monotonic() - self._began, 1),
            "checks": checks,
            "jobs": numbers,
        }

    async def _repeat(self, name: str, job: Job) -> None:
        while True:
            try:
                await job.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs go on and this one tries again
                self._failed(name, error)
                await asyncio.sleep(RETRY)
            else:
                if self._errors.get(name):
                    logger.info("%s: goes on", name)
                self._errors[name] = ""
                await asyncio.sleep(job.every)

    def _failed(self, name: str, error: Exception) -> None:
        sentence = str(error).strip().partition("\n")[0] or type(error).__name__
        if self._errors.get(name) != sentence:
            logger.warning("%s: can't work, trying until it can: %s", name, sentence)
            logger.debug("%s failed", name, exc_info=error)
        self._errors[name] = sentence

    async def _report(self) -> None:
        """Say in the log what has changed, once a minute."""
        told: dict[str, Any] = {}
        while True:
            for name, job in self._jobs.items():
                numbers = dict(job.status())
                if numbers and numbers != told.get(name):
                    told[name] = numbers
                    logger.info("%s: %s", name, ", ".join(f"{key} {value}" for key, value in numbers.items()))
            await asyncio.sleep(REPORT_EVERY)


def _late(numbers: Mapping[str, Any]) -> str:
    lag = float(numbers.get("lag", 0.0))
    return f"{lag:.0f} s behind" if lag > LATE else ""


def made(factories: Mapping[str, Any]) -> dict[str, Job]:
    """Return the jobs of their factories. Raise ImproperlyConfigured with a sentence that names the job."""
    jobs: dict[str, Job] = {}
    for name, make in factories.items():
        try:
            jobs[name] = make()
        except ImproperlyConfigured as error:
            raise ImproperlyConfigured(f"The job {name} can't begin: {error}") from error
    return jobs


async def work(factories: Mapping[str, Any], listen: Any = contextlib.nullcontext) -> None:
    """Make the jobs and run them. `listen(worker)` is a context in which somebody tells others the status."""
    worker = Worker(made(factories))
    async with listen(worker):
        await worker.run()
