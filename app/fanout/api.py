"""Publishing from Django code: `fanout.publish` for any thread of any process, `fanout.apublish` for coroutines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady

from fanout.errors import Unavailable
from fanout.groups import check_group
from fanout.layers.pipeline import COMMAND_TIMEOUT
from fanout.loop_thread import LoopThread
from fanout.protocol import KEY_LIMIT
from fanout.publishing import default_layer, publish_on

if TYPE_CHECKING:
    from fanout.positions import Position

PUBLISH_LIMIT = COMMAND_TIMEOUT + 0.25
"""Seconds that a publisher waits in all: the layer gives a silent Redis up before; this is for a connect that takes
several commands (TLS, passwords, Sentinels)."""

_thread = LoopThread("fanout-publisher")


def publish(group: str, data: Any, key: str | None = None) -> Position | None:
    """Publish `data` to every client of `group`, on every replica; return when Redis has taken it.

    For code without a running event loop: views, signal handlers, management commands, workers, the shell, in any
    thread and before or after a fork. In a transaction, publish what was committed, and nothing that was rolled back:

        transaction.on_commit(partial(fanout.publish, "score.final", {"home": 2}, key=str(goal.pk)))

    An error in there reaches the caller although all is committed; `on_commit(..., robust=True)` logs it instead.

    Durable group: returns the publication's position when it is in the stream. The same `key` (1 to 64 characters)
    within five minutes is one publication, whichever process it reaches; a repeat returns the first one's position.
    Ephemeral group: returns None when Redis has taken it, and the key says nothing; at most once.

    `data` is anything that JSON can say, and dates, UUIDs, Decimals and dataclasses. The group's policy does not look
    at it: policies bind clients. Its kind must be registered (`AppConfig.ready`), or the group is ephemeral.

    Raises Unavailable within 2 s when Redis does not answer: it may have been published or not, try again with the same
    key. Raises KeyConflict when the key was used with other data; BadGroup, BadData, TooLarge (half an outbox) for what
    can't be published. All are fanout.errors.FanoutError.

    All threads share one connection, which is opened at the first call and closed at exit.
    """
    if _is_on_a_loop():
        raise RuntimeError("fanout.publish() would block this event loop: use `await fanout.apublish(…)` here.")
    return _thread.run(apublish(group, data, key))


async def apublish(group: str, data: Any, key: str | None = None) -> Position | None:
    """Publish from a coroutine; see `publish`. Each event loop has a connection, which is closed with the loop."""
    if not apps.ready:
        raise AppRegistryNotReady("Call django.setup() first: the apps' ready() registers the policies of the groups.")
    if key is not None and not 1 <= len(key) <= KEY_LIMIT:
        raise ValueError(f"The key must have 1 to {KEY_LIMIT} characters, not {len(key)}.")
    layer = default_layer()
    try:
        async with asyncio.timeout(PUBLISH_LIMIT):
            return await publish_on(layer, check_group(group), data, key)
    except TimeoutError:
        raise Unavailable(
            "Redis did not answer in time; what you sent may not have been published, try again."
        ) from None


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
