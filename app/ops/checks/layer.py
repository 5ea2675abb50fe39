"""CHANNEL_LAYERS: which layer, and how it finds Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ops.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = "fanout.layers.RedisChannelLayer"
IN_MEMORY = ("fanout.layers.InMemoryChannelLayer", "channels.layers.InMemoryChannelLayer")
CORE, PUBSUB = "channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer"
USE_OURS = f'CHANNEL_LAYERS = {{"default": {{"BACKEND": "{OURS}", "CONFIG": {{"hosts": ["redis://…"]}}}}}}'
OTHERS = {
    CORE: Finding(
        "fanout.E001",
        f"CHANNEL_LAYERS uses {CORE}.",
        "It drops what is over 100 messages for each process without a word (a burst of 2,000 lost 85 to 92 %), "
        "and under redis-py 8 idle sockets are closed with 1011 after 5 s.",
        USE_OURS,
    ),
    PUBSUB: Finding(
        "fanout.W002",
        f"CHANNEL_LAYERS uses {PUBSUB}.",
        "It loses whatever is published while it reconnects to Redis, at least a second, and tells nobody; a "
        "delivery costs 265 to 340 µs for each socket, 30 to 90 times as much as ours.",
        USE_OURS,
    ),
    **dict.fromkeys(
        IN_MEMORY,
        Finding(
            "fanout.W003",
            "CHANNEL_LAYERS is in memory.",
            "A replica hears nothing of the others: with three of them a message reaches a third of its readers.",
            "FANOUT_REDIS_URLS=redis://127.0.0.1:6379 in .env",
        ),
    ),
}
"""What is wrong with a layer that is not ours."""
ANSWER_SECONDS = 2.0
"""Seconds that the layer waits for a command by default."""


def findings(layers: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield what is wrong with CHANNEL_LAYERS."""
    layer = layers.get("default", {})
    backend, config = layer.get("BACKEND", ""), layer.get("CONFIG", {})
    if backend in OTHERS:
        yield OTHERS[backend]
    elif backend != OURS:
        yield Finding(
            "fanout.E004",
            f"CHANNEL_LAYERS['default'] is {backend or 'not set'}.",
            "fanout.publish and every consumer of fanout need a layer of fanout's.",
            USE_OURS,
        )
    if backend in (CORE, PUBSUB, OURS):
        hosts = [address(host) for host in config.get("hosts", ())]
        yield from _of_hosts(hosts)
    if backend == OURS:
        yield from _of_timeouts([host for host in config.get("hosts", ()) if isinstance(host, dict)])


def _of_hosts(hosts: list[tuple[str, int]]) -> Iterator[Finding]:
    for name, database in hosts:
        if database:
            yield Finding(
                "fanout.W005",
                f"The channel layer uses database {database} of {name}.",
                "Redis' pub/sub has no databases: a fleet on another database of that server hears this one, and is "
                "heard.",
                'a server of its own, or a name of its own: "CONFIG": {…, "prefix": "mine"}',
            )
    names = [name for name, _ in hosts]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield Finding(
            "fanout.W006",
            f"{name} is named {names.count(name)} times in the channel layer's hosts.",
            "Groups are spread by the number of hosts: that server gets twice as many, and a replica with another list "
            "does not hear the others.",
            "name each server once, in the same order for every replica",
        )


def _of_timeouts(hosts: list[dict[str, Any]]) -> Iterator[Finding]:
    for host in hosts:
        timeout = host.get("socket_timeout")
        if timeout is not None and timeout < ANSWER_SECONDS:
            yield Finding(
                "fanout.W007",
                f"A host of the channel layer has socket_timeout={timeout}.",
                f"A Redis that needs longer for one answer counts as dead; {ANSWER_SECONDS:g} s bridge a rewrite of "
                "its file on a slow disk.",
                "leave socket_timeout out",
            )


def address(host: Any) -> tuple[str, int]:
    """Return a host's address without its password, and the number of its database."""
    if isinstance(host, dict) and "address" in host and "master_name" not in host:
        name, database = address(host["address"])
        return name, int(host.get("db") or database)
    if isinstance(host, dict):
        name = host.get("master_name") or f"{host.get('host')}:{host.get('port', 6379)}"
        return str(name), int(host.get("db") or 0)
    if not isinstance(host, str):
        return ":".join(map(str, host)), 0
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return parts.path, 0
    number = parts.path.strip("/")
    return f"{parts.hostname}:{parts.port or 6379}", int(number) if number.isdecimal() else 0
