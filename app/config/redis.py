"""Where Redis is, from the URLs that name it: a server, or the Sentinels of one, for each shard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from config.values import ConfigurationError, url_parts

if TYPE_CHECKING:
    from config.values import Values

SCHEMES = ("redis", "rediss", "unix")
SENTINEL = "sentinel://"
SENTINEL_PORT = 26379


def hosts(values: Values) -> list[str | dict[str, Any]]:
    """Return `hosts` of the channel layer. Raise ConfigurationError."""
    entries = _entries(values.items("FANOUT_REDIS_URLS"))
    found = [_sentinels(entry) if entry.startswith(SENTINEL) else _server(entry) for entry in entries]
    if None in found:
        # Not repeated: there may be a password in it.
        raise ConfigurationError(
            f"FANOUT_REDIS_URLS is malformed in entry {found.index(None) + 1} of {len(found)}: each must be"
            " redis://host:6379, rediss://…, unix:///path or sentinel://host:26379,host:26379/service."
        )
    if values.production and not found:
        raise ConfigurationError(
            "FANOUT_REDIS_URLS must be set in production, for example redis://redis:6379: replicas meet in Redis."
        )
    password = values.password("FANOUT_REDIS_PASSWORD_FILE")
    return [_with_password(host, password) for host in found if host is not None]


def _entries(items: list[str]) -> list[str]:
    """Return the URLs of a list that was split at each comma: those between the Sentinels of one URL are its own."""
    entries: list[str] = []
    for item in items:
        if entries and entries[-1].startswith(SENTINEL) and "://" not in item and not _service(entries[-1]):
            entries[-1] += f",{item}"
        else:
            entries.append(item)
    return entries


def _service(url: str) -> str:
    """Return what stands behind the addresses of a Sentinel's URL."""
    return url.removeprefix(SENTINEL).partition("/")[2]


def _server(url: str) -> str | None:
    """Return the URL of one server; None if it is malformed."""
    parts = url_parts(url, may_log_in=True)
    if not parts or parts.scheme not in SCHEMES:
        return None
    return url if (parts.path if parts.scheme == "unix" else parts.hostname) else None


def _sentinels(url: str) -> dict[str, Any] | None:
    """Return `sentinel://[user:password@]host:port,host:port/service[/db]` as channels_redis wants it, or None.

    User and password are those of the Redis servers.
    """
    login, _, addresses = url.removeprefix(SENTINEL).partition("/")[0].rpartition("@")
    service, _, database = _service(url).partition("/")
    parts = [url_parts(f"{SENTINEL}{address}") for address in addresses.split(",")]
    if not service or not re.fullmatch(r"[A-Za-z0-9_.:-]+", service) or not re.fullmatch(r"\d{0,4}", database):
        return None
    if not all(part and part.hostname and not part.path and not part.query for part in parts):
        return None
    user, _, password = login.partition(":")
    options = {"username": unquote(user), "password": unquote(password), "db": int(database or 0)}
    return {
        "sentinels": [(part.hostname, part.port or SENTINEL_PORT) for part in parts if part],
        "master_name": service,
        **{name: value for name, value in options.items() if value},
    }


def _with_password(host: str | dict[str, Any], password: str) -> str | dict[str, Any]:
    """Return a host with a password, unless there is none to give or it has one of its own."""
    if not password:
        return host
    if not isinstance(host, str):
        return {"password": password, **host}
    parts = urlsplit(host)
    if parts.password is not None:
        return host
    user, _, address = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}").geturl()
