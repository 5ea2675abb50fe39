"""What a start decides: the settings, and the files that the processes read."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import environment, nginx, packages, ports, supervision, tls
from fleet.descriptors import Limits
from fleet.errors import UsageError
from fleet.state import Run, Settings, write_private

if TYPE_CHECKING:
    from fleet.options import Options


def decide(asked: Options, current: Settings) -> Settings:
    """Return the settings with what was asked for. Raise UsageError when they do not fit together."""
    settings = replace(
        current,
        replicas=asked.replicas or current.replicas,
        port=asked.port or current.port,
        bind=current.bind if asked.bind is None else asked.bind or None,
        trusted_proxies=current.trusted_proxies if asked.trusted_proxies is None else asked.trusted_proxies,
        slots=asked.slots or current.slots,
        tls_port=current.tls_port if asked.tls_port is None else asked.tls_port,
        tls_certificate=asked.tls_certificate or current.tls_certificate,
        tls_key=asked.tls_key or current.tls_key,
    )
    if _is_tls_asked(asked) or replace(settings, replicas=current.replicas) != current:
        tls.refuse_unusable(settings)
    if settings.replicas > settings.slots:
        raise UsageError(
            f"REPLICAS={settings.replicas} is more than nginx keeps places for ({settings.slots}): take fewer, "
            f"or start with SLOTS={settings.replicas}."
        )
    return settings


def emptied(asked: Options, current: Settings) -> list[str]:
    """Return a sentence for each list that was given empty and had something in it."""
    said = []
    if asked.bind == () and current.bind:
        said.append("BIND is empty: nginx listens on this machine's loopback addresses alone.")
    if asked.trusted_proxies == () and current.trusted_proxies:
        said.append("TRUSTED_PROXIES is empty: no proxy's X-Forwarded-For is believed any more.")
    return said


def _is_tls_asked(asked: Options) -> bool:
    """Return whether TLS was spoken of; otherwise an nginx that runs goes on with the files it has read."""
    return any(value is not None for value in (asked.tls_port, asked.tls_certificate, asked.tls_key))


def needs(variables: dict[str, str], run: Run) -> tuple[str, ...]:
    """Return the programs of the distribution that the fleet starts."""
    return ("nginx", "redis-server") if is_own_redis(variables, run) else ("nginx",)


def is_own_redis(variables: dict[str, str], run: Run) -> bool:
    """Return whether the fleet runs its own Redis."""
    return variables["FANOUT_REDIS_URLS"] == environment.own_redis_url(run)


def write(run: Run, settings: Settings) -> bool:
    """Write what nginx and the supervisor read; return whether nginx has to reload."""
    binary = packages.require("nginx")
    redis = packages.require("redis-server") if settings.own_redis else None
    is_due = nginx.write(run.nginx_configuration, nginx.render(edge(run, settings)), binary)
    owner = pwd.getpwuid(os.geteuid()).pw_name
    listed = supervision.programs(run, settings, redis, binary)
    write_private(run.supervisor, supervision.render(run, listed, owner))
    run.remember(settings)
    return is_due


def edge(run: Run, settings: Settings) -> nginx.Edge:
    """Return nginx' values of this fleet."""
    static = environment.kept(run).get("FANOUT_STATIC_ROOT")
    return nginx.Edge(
        port=settings.port,
        bind=ports.addresses(settings),
        sockets=run.sockets,
        static=Path(static) if static else run.static,
        prefix=run.nginx,
        pid=run.pid_file("nginx"),
        descriptors=settings.descriptors,
        connections=Limits(settings.descriptors).worker_connections,
        slots=settings.slots,
        trusted_proxies=settings.trusted_proxies,
        user=nginx.user(),
        tls=nginx.Tls(settings.tls_port, settings.tls_certificate, settings.tls_key) if settings.tls_port else None,
    )
