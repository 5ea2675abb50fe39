"""How each Redis of the channel layer is set, asked of itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels_redis.utils import decode_hosts
from redis.exceptions import RedisError

from fanout.errors import Unavailable
from fanout.layers.shard import Shard
from ops.checks import layer
from ops.checks.finding import Finding
from ops.readiness import unreached

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MIB = 1024 * 1024
PUBSUB_LEAST = 128 * MIB
"""Bytes that a replica may lag; deploy/redis.conf says why."""
MEMORY_MOST = 0.8
"""Of maxmemory: at all of it every publication to a durable group is refused."""
OLDEST = (6, 2)
"""The first version whose scripts and streams the layer is written for."""
ASKED = ("maxmemory-policy", "appendonly", "client-output-buffer-limit", "timeout", "min-replicas-to-write")


def findings(config: Mapping[str, Any]) -> list[Finding]:
    """Ask each host of a layer's CONFIG."""
    return asyncio.run(_ask_all(decode_hosts(config.get("hosts"))))


async def _ask_all(hosts: list[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    for number, host in enumerate(hosts, 1):
        shard = Shard(host, lambda *_: None, lambda: None, lambda: None)
        name = f"Redis {number} of {len(hosts)}" if len(hosts) > 1 else "Redis"
        try:
            found += list(judge(name, await _info(shard), await _config(shard)))
        except (Unavailable, RedisError, OSError) as error:
            found.append(away(f"{name} at {layer.address(host)[0]}", error))
        finally:
            await shard.aclose()
    return found


async def _info(shard: Shard) -> dict[str, str]:
    told = (await shard.commands.execute("INFO")).decode(errors="replace")
    return dict(line.split(":", 1) for line in told.splitlines() if ":" in line)


async def _config(shard: Shard) -> dict[str, str]:
    """Return what can be looked up: a hosted Redis often refuses CONFIG."""
    values: dict[str, str] = {}
    for name in ASKED:
        try:
            answer = await shard.commands.execute("CONFIG", "GET", name)
        except RedisError:
            return {}
        values |= {answer[at].decode(): answer[at + 1].decode() for at in range(0, len(answer), 2)}
    return values


def away(name: str, error: Exception) -> Finding:
    """Return what there is to say of a Redis that does not answer."""
    return Finding(
        "fanout.E030",
        f"{name} does not answer: {unreached(error).removesuffix('.')}.",
        "Nothing is delivered from one replica to another, and none gets ready.",
        "make up, or the right FANOUT_REDIS_URLS in .env",
    )


def judge(name: str, info: Mapping[str, str], config: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong, from what INFO and CONFIG GET say."""
    yield from _of_version(name, info)
    yield from _of_memory(name, info, config)
    yield from _of_losses(name, info, config)
    yield from _of_connections(name, config)


def _of_version(name: str, info: Mapping[str, str]) -> Iterator[Finding]:
    version = info.get("redis_version", "")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers and numbers < OLDEST:
        yield Finding(
            "fanout.E031",
            f"{name} is version {version}.",
            "The layer's scripts and streams are tried with 7.0 and written for 6.2 and later.",
            "apt-get install redis-server, from a release of the last four years",
        )
    if info.get("cluster_enabled") == "1":
        yield Finding(
            "fanout.E032",
            f"{name} is a node of Redis Cluster.",
            "The layer does not follow its redirections: most groups are refused with MOVED.",
            "servers of their own, several in FANOUT_REDIS_URLS where one is not enough",
        )


def _of_memory(name: str, info: Mapping[str, str], config: Mapping[str, str]) -> Iterator[Finding]:
    policy = config.get("maxmemory-policy") or info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield Finding(
            "fanout.E033",
            f"{name} has maxmemory-policy {policy}.",
            "When its memory is used up it throws streams away: publications that were acknowledged are lost, and "
            "every client that comes back is told reset.",
            "redis-cli config set maxmemory-policy noeviction, and the same in its configuration file",
        )
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if most and used > MEMORY_MOST * most:
        yield Finding(
            "fanout.W034",
            f"{name} has used {used * 100 // most} % of its memory ({most // MIB} MiB).",
            "At 100 % every publication to a durable group is refused.",
            f"redis-cli config set maxmemory {2 * most // MIB}mb, or keep less history",
        )


def _of_losses(name: str, info: Mapping[str, str], config: Mapping[str, str]) -> Iterator[Finding]:
    if info.get("aof_enabled") == "0" and info.get("role") != "slave":
        yield Finding(
            "fanout.W035",
            f"{name} keeps no append-only file.",
            "A restart forgets every stream: all clients are told reset, and what they have missed is gone.",
            "redis-cli config set appendonly yes, and the same in its configuration file",
        )
    replicas = int(info.get("connected_slaves", 0))
    if replicas and config.get("min-replicas-to-write") == "0":
        yield Finding(
            "fanout.W036",
            f"{name} has {replicas} replicas and min-replicas-to-write 0.",
            "A master that is cut off from them goes on to acknowledge what the failover then loses.",
            "redis-cli config set min-replicas-to-write 1",
        )


def _of_connections(name: str, config: Mapping[str, str]) -> Iterator[Finding]:
    if config.get("timeout", "0") != "0":
        yield Finding(
            "fanout.W037",
            f"{name} cuts connections that are idle for {config['timeout']} s.",
            "Each time live messages are missed: filled in durable groups after up to 2 s, gone in ephemeral ones.",
            "redis-cli config set timeout 0",
        )
    hard = hard_limit(config.get("client-output-buffer-limit", ""), "pubsub")
    if hard is not None and 0 < hard < PUBSUB_LEAST:
        yield Finding(
            "fanout.W038",
            f"{name} cuts a subscriber that lags by {hard // MIB} MiB.",
            "A subscriber is a replica, for thousands of clients: 32 MiB are 500 of the largest messages, half a "
            "second of a busy group. It is cut without a word.",
            'redis-cli config set client-output-buffer-limit "pubsub 128mb 32mb 60"',
        )


def hard_limit(limits: str, kind: str) -> int | None:
    """Return the first value of a kind in `normal 0 0 0 slave … pubsub 33554432 8388608 60`."""
    words = limits.split()
    return int(words[words.index(kind) + 1]) if kind in words else None
