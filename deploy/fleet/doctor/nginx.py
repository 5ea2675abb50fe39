"""The traps of nginx in front of WebSockets, in the fleet's configuration or in anybody's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.doctor.configuration import Directive

PING_SECONDS = 20 + 30
"""Daphne's ping interval and the time for its answer: after that long a socket has said something or is closed."""
FAIL_SECONDS = 10
"""nginx' default of fail_timeout."""
UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
TIME = re.compile(r"(\d+)(ms|[smhdw]?)")
STREAM = re.compile(r"events|poll|stream|sse", re.IGNORECASE)
SOCKETS = re.compile(r"(^|[/_-])wss?([/_-]|$)|socket", re.IGNORECASE)
PARTS = ("events", "http", "server", "location", "upstream", "proxy_pass", "map")
"""One of these stands in each configuration that there is something to say of."""
DEFAULT_CONNECTIONS = 512
FORWARDED = "$proxy_add_x_forwarded_for"


def findings(tree: Directive) -> Iterator[Finding]:
    """Yield what is wrong."""
    for upstream in tree.all("upstream"):
        yield from _of_upstream(upstream)
    yield from _of_workers(tree)
    proxied = [passed.parent for passed in tree.all("proxy_pass") if passed.parent is not None]
    yield from _of_upgrades(proxied)
    for location in proxied:
        yield from _of_location(location)
    if any(FORWARDED in header.values for header in tree.all("proxy_set_header")):
        yield Finding(
            f"X-Forwarded-For is set to {FORWARDED}.",
            "It appends to what the client sent, so the client chooses the leftmost address, which Daphne "
            "(--proxy-headers) and most others believe.",
            "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Real-IP $remote_addr;",
        )


def is_one(tree: Directive) -> bool:
    """Return whether this is a configuration of nginx at all, or a part of one."""
    return any(next(tree.all(name), None) is not None for name in PARTS)


def seconds(text: str) -> float:
    """Return the seconds of `60`, `500ms` or `1h 30m`."""
    return sum(int(number) * UNITS[unit] for number, unit in TIME.findall(text))


def _of_upstream(upstream: Directive) -> Iterator[Finding]:
    servers, name = upstream.own("server"), upstream.value
    if not servers:
        yield Finding(
            f"The upstream {name} has no server.",
            "nginx does not start with it.",
            'server "unix:/run/fanout/web-1.sock" max_fails=1 fail_timeout=1s;',
        )
    if upstream.own("least_conn") and not upstream.own("zone"):
        yield Finding(
            f"The upstream {name} has least_conn without a zone.",
            "Each worker counts its own connections only: with four of them a replica may get four times as many as "
            "another.",
            f"zone {name} 256k;",
        )
    blind = [server for server in servers if len(servers) > 1 and _blackout(server) >= FAIL_SECONDS]
    if blind:
        yield Finding(
            f"{len(blind)} of {len(servers)} servers of the upstream {name} are left alone for "
            f"{_blackout(blind[0]):g} s after one failure.",
            "One full backlog or one restart, and a healthy replica gets nobody for so long; the others carry all.",
            "max_fails=1 fail_timeout=1s at each server",
        )


def _blackout(server: Directive) -> float:
    """Return the seconds for which a server that failed once is left alone."""
    options = dict(value.split("=", 1) for value in server.values if "=" in value)
    if _number(options.get("max_fails", "1")) != 1:
        return 0.0
    return seconds(options.get("fail_timeout", f"{FAIL_SECONDS}s"))


def _number(text: str) -> int | None:
    """Return a number; None for a variable of a template, or for what nginx itself refuses."""
    return int(text) if text.isdecimal() else None


def _of_workers(tree: Directive) -> Iterator[Finding]:
    if not tree.own("events"):
        return  # a part: nginx starts with no file that lacks it
    connections = next((_number(each.value) for each in tree.all("worker_connections")), DEFAULT_CONNECTIONS)
    files = next((_number(each.value) for each in tree.own("worker_rlimit_nofile")), None)
    if files is not None and connections is not None and files < connections:
        yield Finding(
            f"worker_rlimit_nofile {files} is less than worker_connections {connections}.",
            "Each proxied client takes two files: a worker runs out of them first, and accepts nobody any more.",
            f"worker_rlimit_nofile {connections};",
        )
    if connections is not None and connections <= DEFAULT_CONNECTIONS and any(tree.all("proxy_pass")):
        yield Finding(
            f"worker_connections is {connections}.",
            f"A proxied client takes two: {connections // 2} of them fill a worker, all others wait.",
            "events { worker_connections 65536; } and worker_rlimit_nofile 65536;",
        )
    if not tree.own("worker_shutdown_timeout"):
        yield Finding(
            "worker_shutdown_timeout is not set.",
            "Each reload leaves a generation of workers for as long as their sockets live, which may be days.",
            "worker_shutdown_timeout 10m;",
        )


def _of_upgrades(proxied: list[Directive]) -> Iterator[Finding]:
    """Somewhere a WebSocket has to get through, and where a name says that it is meant to."""
    upgrading = [location for location in proxied if _upgrades(location)]
    for location in proxied if upgrading else ():
        is_meant = location.name == "location" and any(SOCKETS.search(value) for value in location.values)
        if is_meant and location not in upgrading:
            yield Finding(
                f"{location} lets no connection be upgraded.",
                "Every WebSocket handshake there is answered 400 or 426. A proxy_set_header of its own hides all of "
                "those above it.",
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;",
            )
    if proxied and not upgrading:
        yield Finding(
            "No location lets a connection be upgraded.",
            "Every WebSocket handshake is answered 400 or 426: HTTP/1.0 is the default, and nginx drops Upgrade.",
            "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;",
        )


def _upgrades(location: Directive) -> bool:
    version = location.effective("proxy_http_version")
    headers = {header.value.lower() for header in location.effective("proxy_set_header")}
    return bool(version) and version[-1].value == "1.1" and {"upgrade", "connection"} <= headers


def _of_location(location: Directive) -> Iterator[Finding]:
    silence = location.effective("proxy_read_timeout")
    if silence and seconds(silence[-1].value) <= PING_SECONDS:
        yield Finding(
            f"{location} has proxy_read_timeout {silence[-1].value}.",
            f"A WebSocket whose client is silent says something each {PING_SECONDS} s at the latest (a ping after "
            "20 s, 30 s for its answer): nginx cuts it before, with 1006.",
            "proxy_read_timeout 60s;",
        )
    buffering = location.effective("proxy_buffering")
    is_stream = location.name == "location" and any(STREAM.search(value) for value in location.values)
    if is_stream and not (buffering and buffering[-1].value == "off"):
        yield Finding(
            f"{location} buffers what replicas send.",
            "Server-Sent Events wait until 4 to 8 KiB are full: minutes in a quiet group.",
            "proxy_buffering off;",
        )
