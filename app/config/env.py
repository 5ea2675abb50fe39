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
from urllib.parse import SplitResult, quote, unquote, urlsplit

from config import limits
from config.database import SCHEMES, PostgreSQL, postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Every variable of ours; `.env.example` explains each, a test holds the two together."""

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
REDIS_SCHEMES = ("redis", "rediss", "unix")
SENTINEL = "sentinel://"
SENTINEL_PORT = 26379
HOST = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\]|\*")
URL_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")  # service names may have underscores, IPv6 addresses colons
SECRET_KEY_MIN_CHARACTERS = 32  # below this Django's own deployment check calls a key guessable


class ConfigurationError(Exception):
    """A variable is unknown, malformed or missing; the text names it and says what to do."""


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
    is_limited: bool
    """False: all of them are lifted."""


def read(environ: Mapping[str, str] | None = None) -> Environment:
    """Return the environment, typed. Raise ConfigurationError with one sentence on anything wrong."""
    given = os.environ if environ is None else environ
    _refuse_unknown(given)
    # An empty variable means "not set": what `FANOUT_X= make up` is meant to say.
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    production = _choice(values, "FANOUT_ENV", ("development", "production")) == "production"
    state = _folder(values, "FANOUT_STATE_DIR", REPOSITORY / ".run")
    return Environment(
        production=production,
        debug=_debug(values, production=production),
        secret_key=_secret_key(values, production=production),
        allowed_hosts=_allowed_hosts(values, production=production),
        trusted_origins=_trusted_origins(values),
        redis_hosts=_redis_hosts(values, production=production),
        database=_database(values, state / "db.sqlite3"),
        static_root=_folder(values, "FANOUT_STATIC_ROOT", state / "static"),
        archive_days=_days(values, "FANOUT_ARCHIVE_DAYS"),
        log_level=_choice(values, "FANOUT_LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
        log_format=_choice(values, "FANOUT_LOG_FORMAT", ("auto", "json", "text")),
        without_origin=_choice(values, "FANOUT_WITHOUT_ORIGIN", ("allow", "refuse")) == "allow",
        limits=_limits(values, production=production),
        is_limited=_choice(values, "FANOUT_LIMITS", ("on", "off")) == "on",
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


def _refuse_unknown(values: Mapping[str, str]) -> None:
    for name in sorted(values):
        if name.startswith(PREFIX) and name not in VARIABLES:
            # Without the prefix, which alone would make all of them look alike.
            words = [known.removeprefix(PREFIX) for known in VARIABLES]
            close = difflib.get_close_matches(name.removeprefix(PREFIX), words, n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else ".env.example lists the known ones."
            raise ConfigurationError(f"{name} is not a variable of this project: {hint}")


def _malformed(name: str, value: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{name}={value!r} is malformed: it must be {wanted}.")


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return the value, one of the choices; the first is the default."""
    value = values.get(name, choices[0])
    if value not in choices:
        close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise _malformed(name, value, f"one of {', '.join(choices)}{hint}")
    return value


def _list(values: Mapping[str, str], name: str) -> list[str]:
    return [item.strip() for item in values.get(name, "").split(",") if item.strip()]


def _url(value: str, *, may_log_in: bool = False) -> SplitResult | None:
    """Return the parts of a URL; None when its host or port can't be one, or it names a user and must not."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        return None
    well_formed = host is None or URL_HOST.fullmatch(host)
    return parts if well_formed and (may_log_in or "@" not in parts.netloc) else None


def _folder(values: Mapping[str, str], name: str, default: Path) -> Path:
    path = Path(values.get(name, default))
    if not path.is_absolute():
        raise _malformed(name, str(path), "an absolute path")
    return path


def _days(values: Mapping[str, str], name: str) -> float | None:
    value = values.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,4})?", value) or not float(value):
        raise _malformed(name, value, "a number of days, such as 90 or 0.5; unset keeps everything")
    return float(value)


def _content(name: str, file: str) -> str:
    """Return what a file holds, without the white space around it."""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name}={file!r} cannot be read: {error}.") from None


def _password(values: Mapping[str, str], name: str) -> str:
    """Return the password in the file that a variable names; nothing when it names none."""
    file = values.get(name)
    password = _content(name, file) if file else ""
    if file and not password:
        raise ConfigurationError(f"{name}={file!r} is empty: write the password into it.")
    return password


def _debug(values: Mapping[str, str], *, production: bool) -> bool:
    value = values.get("FANOUT_DEBUG", "false").lower()
    if value not in TRUE + FALSE:
        raise _malformed("FANOUT_DEBUG", value, "true or false")
    if production and value in TRUE:
        raise ConfigurationError("FANOUT_DEBUG=true shows secrets to visitors: unset it in production.")
    return value in TRUE


def _secret_key(values: Mapping[str, str], *, production: bool) -> str:
    key, name = values.get("FANOUT_SECRET_KEY"), "FANOUT_SECRET_KEY"
    if file := values.get("FANOUT_SECRET_KEY_FILE"):
        if key:
            raise ConfigurationError("FANOUT_SECRET_KEY and FANOUT_SECRET_KEY_FILE are both set: keep one.")
        name = "FANOUT_SECRET_KEY_FILE"
        key = _content(name, file)
    if key is not None and len(key) < SECRET_KEY_MIN_CHARACTERS:
        raise ConfigurationError(
            f"{name} holds {len(key)} characters: give it at least {SECRET_KEY_MIN_CHARACTERS} random ones."
        )
    if key is None and production:
        raise ConfigurationError(
            "FANOUT_SECRET_KEY or FANOUT_SECRET_KEY_FILE must be set in production, the same for all replicas: "
            "`openssl rand -base64 48` makes one."
        )
    # One process alone needs no key that others know; `make up` gives all replicas the same file.
    return key or secrets.token_urlsafe(50)


def _allowed_hosts(values: Mapping[str, str], *, production: bool) -> list[str]:
    hosts = _list(values, "FANOUT_ALLOWED_HOSTS")
    for host in hosts:
        if not HOST.fullmatch(host):
            raise _malformed("FANOUT_ALLOWED_HOSTS", host, "host names without scheme or port")
    if production and (not hosts or "*" in hosts):
        raise ConfigurationError("FANOUT_ALLOWED_HOSTS must name the public hosts in production, without *.")
    return hosts or ["localhost", "127.0.0.1", "[::1]"]


def _trusted_origins(values: Mapping[str, str]) -> list[str]:
    origins = _list(values, "FANOUT_TRUSTED_ORIGINS")
    for origin in origins:
        parts = _url(origin)
        whole = parts and parts.hostname and f"{parts.scheme}://{parts.netloc}"
        if not parts or parts.scheme not in ("http", "https") or origin != whole:
            raise _malformed("FANOUT_TRUSTED_ORIGINS", origin, "exact origins such as https://example.org")
    return origins


def _limits(values: Mapping[str, str], *, production: bool) -> dict[str, Any]:
    exempt = limits.networks(_list(values, "FANOUT_LIMITS_EXEMPT") or ["none" if production else "loopback"])
    if exempt is None:
        wanted = f"addresses, networks such as 192.0.2.0/24, or one of {', '.join(limits.WORDS)}"
        raise _malformed("FANOUT_LIMITS_EXEMPT", values["FANOUT_LIMITS_EXEMPT"], wanted)
    if production and limits.everybody(exempt):
        raise ConfigurationError("FANOUT_LIMITS_EXEMPT exempts everybody: name the networks of your load generators.")
    found = {}
    for name in limits.NUMBERS:
        if name in values:
            found[name] = limits.number(values[name])
            if found[name] is None:
                raise _malformed(name, values[name], "a whole number; 0 lifts the limit")
    if _choice(values, "FANOUT_LIMITS", ("on", "off")) == "on":
        unlimited = () if production else limits.own(exempt)
        return limits.given({name: value for name, value in found.items() if value is not None}, exempt, unlimited)
    if production:
        raise ConfigurationError("FANOUT_LIMITS=off lets one client take everything: unset it in production.")
    return limits.lifted()


def _redis_hosts(values: Mapping[str, str], *, production: bool) -> list[str | dict[str, Any]]:
    entries = _redis_entries(_list(values, "FANOUT_REDIS_URLS"))
    hosts = [_sentinel(entry) if entry.startswith(SENTINEL) else _redis_url(entry) for entry in entries]
    if None in hosts:
        # Not repeated: there may be a password in it.
        raise ConfigurationError(
            f"FANOUT_REDIS_URLS is malformed in entry {hosts.index(None) + 1} of {len(hosts)}: each must be"
            " redis://host:6379, rediss://…, unix:///path or sentinel://host:26379,host:26379/service."
        )
    if production and not hosts:
        raise ConfigurationError(
            "FANOUT_REDIS_URLS must be set in production, for example redis://redis:6379: replicas meet in Redis."
        )
    password = _password(values, "FANOUT_REDIS_PASSWORD_FILE")
    return [_with_password(host, password) for host in hosts if host is not None]


def _redis_entries(items: list[str]) -> list[str]:
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


def _redis_url(url: str) -> str | None:
    """Return the URL of one server; None if it is malformed."""
    parts = _url(url, may_log_in=True)
    if not parts or parts.scheme not in REDIS_SCHEMES:
        return None
    return url if (parts.path if parts.scheme == "unix" else parts.hostname) else None


def _sentinel(url: str) -> dict[str, Any] | None:
    """Return `sentinel://[user:password@]host:port,host:port/service[/db]` as channels_redis wants it, or None.

    User and password are those of the Redis servers.
    """
    login, _, addresses = url.removeprefix(SENTINEL).partition("/")[0].rpartition("@")
    service, _, database = _service(url).partition("/")
    parts = [_url(f"{SENTINEL}{address}") for address in addresses.split(",")]
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


def _database(values: Mapping[str, str], default: Path) -> Path | PostgreSQL:
    value = values.get("FANOUT_DATABASE")
    password = _password(values, "FANOUT_DATABASE_PASSWORD_FILE")
    if value is None:
        return default
    parts = _url(value, may_log_in=True)
    if parts and parts.scheme in SCHEMES and (found := postgresql(parts, password)):
        return found
    if not parts or parts.scheme != "sqlite" or parts.netloc or not parts.path.removeprefix("/"):
        # A malformed one may hold a password too.
        shown = value if "@" not in value else f"{value.partition(':')[0]}://…"
        raise _malformed("FANOUT_DATABASE", shown, "sqlite:///absolute/path or postgresql://user@host:5432/name")
    return Path(parts.path)
