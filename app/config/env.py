"""The environment, read once and typed; nothing else in the project looks at `os.environ`."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from config import database, limits, redis
from config.values import ConfigurationError, Values, malformed, url_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.database import PostgreSQL

PREFIX = "FANOUT_"
REPOSITORY = Path(__file__).resolve().parents[2]

VARIABLES = (
    "FANOUT_ENV",
    "FANOUT_DEBUG",
    "FANOUT_SECRET_KEY",
    "FANOUT_SECRET_KEY_FILE",
    "FANOUT_ALLOWED_HOSTS",
    "FANOUT_TRUSTED_ORIGINS",
    "FANOUT_WITHOUT_ORIGIN",
    "FANOUT_LIMITS",
    "FANOUT_LIMITS_EXEMPT",
    "FANOUT_CONNECTIONS_PER_ADDRESS",
    "FANOUT_CONNECTIONS_PER_USER",
    "FANOUT_HANDSHAKES_PER_SECOND",
    "FANOUT_READS_PER_SECOND",
    "FANOUT_PUBLISHES_PER_CONNECTION",
    "FANOUT_PUBLISHES_PER_USER",
    "FANOUT_PUBLISHES_PER_ADDRESS",
    "FANOUT_BYTES_PER_CONNECTION",
    "FANOUT_BYTES_PER_USER",
    "FANOUT_BYTES_PER_ADDRESS",
    "FANOUT_GROUPS_PER_CONNECTION",
    "FANOUT_FRAME_BYTES",
    "FANOUT_JSON_DEPTH",
    "FANOUT_OUTBOX_BYTES",
    "FANOUT_IDLE_SECONDS",
    "FANOUT_UNAUTHENTICATED_SECONDS",
    "FANOUT_NEW_GROUPS_PER_MINUTE",
    "FANOUT_REDIS_URLS",
    "FANOUT_REDIS_PASSWORD_FILE",
    "FANOUT_DATABASE",
    "FANOUT_DATABASE_PASSWORD_FILE",
    "FANOUT_STATE_DIR",
    "FANOUT_STATIC_ROOT",
    "FANOUT_ARCHIVE_DAYS",
    "FANOUT_LOG_LEVEL",
    "FANOUT_LOG_FORMAT",
)
"""Every variable of ours; `.env.example` explains each, a test holds the two together. `make check` reads it."""

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
HOST = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\]|\*")
SECRET_KEY_MIN_CHARACTERS = 32  # below this Django's own deployment check calls a key guessable


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says, typed."""

    production: bool
    debug: bool
    secret_key: str
    allowed_hosts: list[str]
    trusted_origins: list[str]
    redis_hosts: list[str | dict[str, Any]]
    """`hosts` of the channel layer: URL, or Sentinels and service, of each shard; empty means the in-memory layer."""
    database: Path | PostgreSQL
    """The SQLite file, or the server's database."""
    static_root: Path
    archive_days: float | None
    """Days that the archive keeps; None: for ever."""
    log_level: str
    log_format: str
    """`json`, `text`, or `auto`: JSON in production, but text on a terminal."""
    without_origin: bool
    """Whether clients that name no origin, which are no browsers, are let in."""
    limits: dict[str, Any]
    """`settings.FANOUT_LIMITS`."""


def read(environ: Mapping[str, str] | None = None) -> Environment:
    """Return the environment, typed. Raise ConfigurationError with one sentence on anything wrong."""
    given = os.environ if environ is None else environ
    _refuse_unknown(given)
    values = Values(given)
    state = values.folder("FANOUT_STATE_DIR", REPOSITORY / ".run")
    return Environment(
        production=values.production,
        debug=_debug(values),
        secret_key=_secret_key(values),
        allowed_hosts=_allowed_hosts(values),
        trusted_origins=_trusted_origins(values),
        redis_hosts=redis.hosts(values),
        database=database.place(values, state / "db.sqlite3"),
        static_root=values.folder("FANOUT_STATIC_ROOT", state / "static"),
        archive_days=values.days("FANOUT_ARCHIVE_DAYS"),
        log_level=values.choice("FANOUT_LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
        log_format=values.choice("FANOUT_LOG_FORMAT", ("auto", "json", "text")),
        without_origin=values.choice("FANOUT_WITHOUT_ORIGIN", ("allow", "refuse")) == "allow",
        limits=limits.read(values),
    )


def read_or_exit() -> Environment:
    """Return the environment; on anything wrong end the process with the sentence and exit code 1."""
    try:
        return read()
    except ConfigurationError as error:
        _exit(str(error))


def _exit(sentence: str) -> NoReturn:
    sys.stderr.write(f"Configuration error: {sentence}\n")
    raise SystemExit(1)


def _refuse_unknown(names: Iterable[str]) -> None:
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in VARIABLES:
            # Without the prefix, which alone would make all of them look alike.
            words = [known.removeprefix(PREFIX) for known in VARIABLES]
            close = difflib.get_close_matches(name.removeprefix(PREFIX), words, n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else ".env.example lists the known ones."
            raise ConfigurationError(f"{name} is not a variable of this project: {hint}")


def _debug(values: Values) -> bool:
    value = (values.get("FANOUT_DEBUG") or "false").lower()
    if value not in TRUE + FALSE:
        raise malformed("FANOUT_DEBUG", value, "true or false")
    if values.production and value in TRUE:
        raise ConfigurationError("FANOUT_DEBUG=true shows secrets to visitors: unset it in production.")
    return value in TRUE


def _secret_key(values: Values) -> str:
    key, name = values.get("FANOUT_SECRET_KEY"), "FANOUT_SECRET_KEY"
    if values.get("FANOUT_SECRET_KEY_FILE"):
        if key:
            raise ConfigurationError("FANOUT_SECRET_KEY and FANOUT_SECRET_KEY_FILE are both set: keep one.")
        name = "FANOUT_SECRET_KEY_FILE"
        key = values.content(name)
    if key is not None and len(key) < SECRET_KEY_MIN_CHARACTERS:
        raise ConfigurationError(
            f"{name} holds {len(key)} characters: give it at least {SECRET_KEY_MIN_CHARACTERS} random ones."
        )
    if key is None and values.production:
        raise ConfigurationError(
            "FANOUT_SECRET_KEY or FANOUT_SECRET_KEY_FILE must be set in production, the same for all replicas: "
            "`openssl rand -base64 48` makes one."
        )
    # One process alone needs no key that others know; `make up` gives all replicas the same file.
    return key or secrets.token_urlsafe(50)


def _allowed_hosts(values: Values) -> list[str]:
    hosts = values.items("FANOUT_ALLOWED_HOSTS")
    for host in hosts:
        if not HOST.fullmatch(host):
            raise malformed("FANOUT_ALLOWED_HOSTS", host, "host names without scheme or port")
    if values.production and (not hosts or "*" in hosts):
        raise ConfigurationError("FANOUT_ALLOWED_HOSTS must name the public hosts in production, without *.")
    return hosts or ["localhost", "127.0.0.1", "[::1]"]


def _trusted_origins(values: Values) -> list[str]:
    origins = values.items("FANOUT_TRUSTED_ORIGINS")
    for origin in origins:
        parts = url_parts(origin)
        whole = parts and parts.hostname and f"{parts.scheme}://{parts.netloc}"
        if not parts or parts.scheme not in ("http", "https") or origin != whole:
            raise malformed("FANOUT_TRUSTED_ORIGINS", origin, "exact origins such as https://example.org")
    return origins
