"""Where the database is, from the one URL that names it: a file of SQLite, or a server of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from config.values import malformed, url_parts

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from config.values import Values

SCHEMES = ("postgresql", "postgres")
PORT = 5432
CONNECT_SECONDS = 5
"""A server that is away is told after that long; libpq itself would wait for the kernel, two minutes."""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """One database of a server."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(default="", repr=False)
    options: dict[str, str] = field(default_factory=dict)
    """libpq's parameters, for example sslmode."""


def place(values: Values, default: Path) -> Path | PostgreSQL:
    """Return where the database is. Raise ConfigurationError."""
    url = values.get("FANOUT_DATABASE")
    password = values.password("FANOUT_DATABASE_PASSWORD_FILE")
    if url is None:
        return default
    parts = url_parts(url, may_log_in=True)
    if parts and parts.scheme in SCHEMES and (found := postgresql(parts, password)):
        return found
    if not parts or parts.scheme != "sqlite" or parts.netloc or not parts.path.removeprefix("/"):
        # A malformed one may hold a password too.
        shown = url if "@" not in url else f"{url.partition(':')[0]}://…"
        raise malformed("FANOUT_DATABASE", shown, "sqlite:///absolute/path or postgresql://user@host:5432/name")
    return Path(parts.path)


def postgresql(parts: SplitResult, password: str) -> PostgreSQL | None:
    """Return what a URL names, None when it lacks a host, a user or a name. A password in the URL wins."""
    name = unquote(parts.path.removeprefix("/"))
    if not (parts.hostname and parts.username and name) or "/" in name:
        return None
    return PostgreSQL(
        host=parts.hostname,
        port=parts.port or PORT,
        name=name,
        user=unquote(parts.username),
        password=unquote(parts.password or "") or password,
        options=dict(parse_qsl(parts.query)),
    )


def django(database: Path | PostgreSQL) -> dict[str, Any]:
    """Return Django's description of the database."""
    if isinstance(database, PostgreSQL):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": database.host,
            "PORT": database.port,
            "NAME": database.name,
            "USER": database.user,
            "PASSWORD": database.password,
            "OPTIONS": {"connect_timeout": CONNECT_SECONDS, **database.options},
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": database,
        # Several replicas write one file: wait for the lock instead of failing, and let readers go on.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
