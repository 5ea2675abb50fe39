"""What a start decides: the settings, and the files that the processes read."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import authority, environment, limits, nginx, packages, ports, redis_accounts, supervision, tls
from fleet.descriptors import Limits
from fleet.errors import UsageError
from fleet.state import Run, Settings, write_private

if TYPE_CHECKING:
    from fleet.options import Options

HSTS_SECONDS = 365 * 24 * 3600
"""For which browsers insist on TLS."""
OWN_HSTS_SECONDS = 24 * 3600
"""With a certificate of the fleet's own: whoever ends TLS is not kept out by yesterday's visit for long."""


def decide(asked: Options, current: Settings) -> Settings:
    """Return the settings with what was asked for. Raise UsageError when they do not fit together."""
    settings = replace(
        current,
        replicas=asked.replicas or current.replicas,
        port=asked.port or current.port,
        bind=current.bind if asked.bind is None else asked.bind or None,
        trusted_proxies=current.trusted_proxies if asked.trusted_proxies is None else asked.trusted_proxies,
        slots=asked.slots or current.slots,
    )
    settings = _with_tls(asked, settings)
    if _is_tls_asked(asked) or replace(settings, replicas=current.replicas) != current:
        tls.refuse_unusable(settings)
    if settings.replicas > settings.slots:
        raise UsageError(
            f"REPLICAS={settings.replicas} is more than nginx keeps slots for ({settings.slots}): take fewer, "
            f"or start with SLOTS={settings.replicas}."
        )
    return settings


def _with_tls(asked: Options, current: Settings) -> Settings:
    """Return the settings with what was said of TLS: TLS=1 alone has a port and a certificate of its own."""
    if asked.tls and asked.tls_port == 0:
        raise UsageError("TLS=1 begins TLS and TLS_PORT=0 ends it: give one of the two.")
    tls_port = current.tls_port if asked.tls_port is None else asked.tls_port
    if asked.tls is False or (tls_port == 0 and not asked.tls):
        return replace(current, tls=False, tls_port=0, tls_certificate="", tls_key="", own_certificate=False)
    certificate, key = asked.tls_certificate or current.tls_certificate, asked.tls_key or current.tls_key
    is_own = bool(asked.tls and not (certificate or key)) or (
        current.own_certificate and not (asked.tls_certificate or asked.tls_key)
    )
    if is_own:
        files = authority.Files(Run(asked.run_dir).tls)
        certificate, key = str(files.certificate), str(files.key)
    return replace(
        current,
        tls=current.tls if asked.tls is None else asked.tls,
        tls_port=tls_port or tls.DEFAULT_PORT,
        tls_certificate=certificate,
        tls_key=key,
        own_certificate=is_own,
    )


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
    return any(value is not None for value in (asked.tls, asked.tls_port, asked.tls_certificate, asked.tls_key))


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
    write_private(run.accounts, redis_accounts.render())
    owner = pwd.getpwuid(os.geteuid()).pw_name
    listed = supervision.programs(run, settings, redis, binary)
    write_private(run.supervisor, supervision.render(run, listed, owner))
    run.remember(settings)
    return is_due


def edge(run: Run, settings: Settings) -> nginx.Edge:
    """Return nginx' values of this fleet."""
    variables = environment.kept(run)
    static = variables.get("FANOUT_STATIC_ROOT")
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
        limits=limits.of(variables, limits.default_exempt(variables)),
        tls=nginx_tls(settings, settings.tls_port, settings.tls_certificate, settings.tls_key),
    )


def nginx_tls(settings: Settings, port: int, certificate: str, key: str) -> nginx.Tls | None:
    """Return what nginx' TLS listener needs, where it sees these files; None without TLS."""
    if not settings.tls_port:
        return None
    age = OWN_HSTS_SECONDS if settings.own_certificate else HSTS_SECONDS
    return nginx.Tls(
        port, certificate, key,
        digest=tls.digest(settings.tls_certificate, settings.tls_key),
        only_at=tls.suffix(settings.tls_port) if settings.tls else None,
        hsts=f"max-age={age}" if settings.tls else "",
    )  # fmt: skip
