"""Who may talk to the site, what a handshake costs, and what threads keep open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ops.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ORIGIN_CHECKS = ("OriginCheck", "OriginValidator")
AUTH = "AuthMiddleware"
INSIDE = ("inner", "application", "_application", "app")
"""Under which names middleware of Channels, of ours and of others keeps what it wraps."""
DEPTH = 20
"""Middleware around each other that is looked through; nobody has more."""


def findings(settings: Any) -> Iterator[Finding]:
    """Yield what is wrong with the site."""
    yield from _of_hosts(settings.ALLOWED_HOSTS)
    yield from _of_origins(settings.CSRF_TRUSTED_ORIGINS)
    yield from _of_databases(settings.DATABASES)
    yield from _of_application(getattr(settings, "ASGI_APPLICATION", None))


def _of_hosts(hosts: list[str]) -> Iterator[Finding]:
    if "*" in hosts:
        yield Finding(
            "fanout.E010",
            "ALLOWED_HOSTS lets every host in.",
            "The check of origins compares with the host, which a stranger's name may then be (DNS rebinding): any "
            "page opens sockets as its visitor.",
            "FANOUT_ALLOWED_HOSTS=chat.example.org in .env",
        )


def _of_origins(origins: list[str]) -> Iterator[Finding]:
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield Finding(
                "fanout.W011",
                f"The trusted origin {origin} is not encrypted.",
                "Whoever is on the way may change its pages, and so opens sockets with its visitors' cookies.",
                f"FANOUT_TRUSTED_ORIGINS=https://{parts.netloc} in .env",
            )


def _of_databases(databases: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for name, database in databases.items():
        if database.get("CONN_MAX_AGE", 0) != 0:
            yield Finding(
                "fanout.W012",
                f"The database {name!r} has CONN_MAX_AGE={database['CONN_MAX_AGE']}.",
                "Under ASGI requests run in threads that come and go: each leaves a connection behind, and PostgreSQL "
                "has 100 for all replicas.",
                'leave CONN_MAX_AGE out, or "OPTIONS": {"pool": True}',
            )


def _of_application(name: str | None) -> Iterator[Finding]:
    if name is None:
        return
    try:
        application = import_string(name)
    except (ImportError, ImproperlyConfigured):
        return  # the server says it in its own words
    sockets = getattr(application, "application_mapping", {}).get("websocket")
    if sockets is None:
        return
    wrapped = [type(layer).__name__ for layer in layers_of(sockets)]
    if not any(each in ORIGIN_CHECKS for each in wrapped):
        yield Finding(
            "fanout.E013",
            f"No check of origins stands before the WebSockets of {name}.",
            "A browser opens sockets for any page, with the visitor's cookies (cross-site WebSocket hijacking).",
            "OriginCheck(URLRouter(…), ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS) of fanout.origin",
        )
    if AUTH in wrapped:
        yield Finding(
            "fanout.W014",
            f"AuthMiddlewareStack stands before every WebSocket of {name}.",
            "It reads session and user for each handshake: about 440 µs, as much as all the rest, and a query.",
            "ask for the user where a policy needs one (may_join, may_publish)",
        )


def layers_of(application: Any) -> Iterator[Any]:
    """Yield an application, and what it wraps, from the outside in."""
    for _ in range(DEPTH):
        yield application
        inside = [getattr(application, name) for name in INSIDE if hasattr(application, name)]
        if not inside:
            return
        application = inside[0]
