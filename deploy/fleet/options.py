"""The command line: verbs, their values, and one sentence for each value that cannot be meant."""

from __future__ import annotations

import argparse
import difflib
import ipaddress
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fleet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
VERBS = (
    "up", "down", "status", "logs", "scale", "restart", "doctor", "prove", "load", "chaos", "drill", "drills",
    "images", "k8s-load", "k8s-doctor", "test-k8s",
    "test", "test-slow", "test-compose", "soak", "fuzz", "bench", "check", "sbom", "lock", "release", "help",
)  # fmt: skip
VARIABLES = (
    "REPLICAS", "PORT", "MODE", "BIND", "TRUSTED_PROXIES", "SLOTS", "RUN_DIR", "ENV_FILE", "NAME", "FOLLOW", "ARGS",
    "REPEAT", "USERS", "RATE", "DURATION", "WHAT",
    "TLS", "TLS_PORT", "TLS_CERTIFICATE", "TLS_KEY",
    "DATA", "YES", "COMPOSE", "LOADER",
)  # fmt: skip
"""Each may be given to make (`make up PORT=8081`) or as an option (`--port 8081`)."""

EMPTIABLE = ("BIND", "TRUSTED_PROXIES")
"""Lists: given and empty (`make up BIND=`) they are the default again, not left as they are."""

ALIKE = 0.7  # PROT is meant to be PORT; LANG, CC or HTTP_PROXY are nobody's misspelling
GIVEN = "MAKE_GIVEN"
"""The variable in which the Makefile hands on the names that were given to it."""

MODES = ("native", "compose", "k8s")
MOST_SLOTS = 128  # each empty one costs a failed connect a second
HIGHEST_PORT = 65535
SHOWN_CHARACTERS = 60  # of a value in a sentence about it
MOST_ROUNDS = 1000  # some three days
MOST_USERS = 1_000_000
MOST_RATE = 100_000
MOST_SECONDS = 7 * 24 * 3600
CHAOS = ("restart", "redis-kill", "reload")
"""What `make chaos` can do."""


@dataclass(frozen=True)
class Options:
    """What the caller asks for; None where nothing was said."""

    verb: str
    run_dir: Path
    env_file: Path
    replicas: int | None = None
    port: int | None = None
    bind: tuple[str, ...] | None = None
    """Empty: the default again."""
    trusted_proxies: tuple[str, ...] | None = None
    slots: int | None = None
    name: str | None = None
    follow: bool = True
    arguments: tuple[str, ...] = ()
    repeat: int | None = None
    users: int | None = None
    rate: int | None = None
    """Publications a second."""
    duration: int | None = None
    """Seconds."""
    what: str | None = None
    tls: bool | None = None
    """True: nothing but TLS; False ends it."""
    tls_port: int | None = None
    """0 ends TLS."""
    tls_certificate: str | None = None
    tls_key: str | None = None
    mode: str | None = None
    """native, compose or k8s."""
    drop: bool = False
    """`down` takes the data too."""
    yes: bool = False
    """The answer to what `down` and `test-k8s` would ask."""
    compose: str | None = None
    """The command of Compose, where it is not to be found out."""
    loader: str | None = None
    """The command that takes an archive of an image into a cluster, where it is not to be found out."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}: `make help` lists the verbs and their values.")


def read(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> Options:
    """Return the options of a command line, with make's variables as defaults. Raise UsageError."""
    environ = os.environ if environ is None else environ
    _refuse_misspelt(environ.get(GIVEN, "").split())
    given = _parse(argv, environ)
    _refuse_others(given)
    return Options(
        verb=given["verb"] or "help",
        run_dir=_path(given, "run_dir") or (REPOSITORY / ".run").resolve(),
        env_file=_path(given, "env_file") or (REPOSITORY / ".env").resolve(),
        replicas=_number(given, "replicas", 1, MOST_SLOTS, "3"),
        port=_number(given, "port", 1, HIGHEST_PORT, "8081"),
        bind=_addresses(given["bind"]),
        trusted_proxies=_networks(given["trusted_proxies"]),
        slots=_number(given, "slots", 1, MOST_SLOTS, "32"),
        name=given["name"],
        follow=_switch(given["follow"]),
        arguments=_words(given["args"]),
        repeat=_number(given, "repeat", 1, MOST_ROUNDS, "5"),
        users=_number(given, "users", 1, MOST_USERS, "300"),
        rate=_number(given, "rate", 1, MOST_RATE, "20"),
        duration=_number(given, "duration", 1, MOST_SECONDS, "60"),
        what=given["what"],
        tls=None if given["tls"] is None else _switch(given["tls"], "TLS"),
        tls_port=_number(given, "tls_port", 0, HIGHEST_PORT, "8443"),
        tls_certificate=_file(given, "tls_certificate"),
        tls_key=_file(given, "tls_key"),
        mode=given["mode"],
        drop=given["data"] == "drop",
        yes=given["yes"] is not None and _switch(given["yes"], "YES"),
        compose=given["compose"],
        loader=given["loader"],
    )


def _refuse_misspelt(names: Sequence[str]) -> None:
    """Make takes any name and hands it on to programs; one that is nearly ours was meant to be ours."""
    known = (*VARIABLES, "PYTHON")
    for name in names:
        alike = difflib.get_close_matches(name.upper(), known, n=1, cutoff=ALIKE)
        if alike and name not in known:
            raise UsageError(f"{name}= is no value of `make`: did you mean {alike[0]}=? `make help` lists them.")


def _parse(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return each value as text; an empty one counts as not given, unless it is a list that can be empty."""
    parser = _Parser(prog="fleet", add_help=False, allow_abbrev=False)
    parser.add_argument("verb", nargs="?", choices=VERBS)
    to_make = environ.get(GIVEN, "").split()
    for name in VARIABLES:
        # Make exports all of them: an empty one was only meant if it stood on its command line.
        text = environ.get(name, "").strip()
        parser.add_argument("--" + name.lower().replace("_", "-"), default=text if text or name in to_make else None)
    given = vars(parser.parse_args(["help" if word in ("-h", "--help") else word for word in argv]))
    return {name: _text(name.upper(), value) for name, value in given.items()}


def _text(name: str, value: str | None) -> str | None:
    if value is None or not (value.strip() or name in EMPTIABLE):
        return None
    return value.strip()


def _number(given: Mapping[str, str | None], name: str, least: int, most: int, example: str) -> int | None:
    text = given[name]
    if text is None:
        return None
    is_short = len(text) <= len(str(most))
    if not (is_short and text.isascii() and text.isdecimal() and least <= int(text) <= most):
        variable = name.upper()
        raise UsageError(
            f"{variable}={_shown(text)} is not a whole number from {least} to {most}: for example {variable}={example}."
        )
    return int(text)


def _refuse_others(given: Mapping[str, str | None]) -> None:
    """Refuse a word where there is a choice of some."""
    _refuse_other(given, "mode", MODES)
    _refuse_other(given, "data", ("keep", "drop"))
    _refuse_other(given, "what", CHAOS)
    if given["verb"] == "chaos" and given["what"] is None:
        raise UsageError(f"Say what is to be done: make chaos WHAT={', WHAT='.join(CHAOS[:-1])} or WHAT={CHAOS[-1]}.")


def _refuse_other(given: Mapping[str, str | None], name: str, choices: tuple[str, ...]) -> None:
    if given[name] not in (None, *choices):
        variable = name.upper()
        raise UsageError(
            f"{variable}={_shown(str(given[name]))} is none of {', '.join(choices)}: `make help` says more."
        )


def _switch(text: str | None, variable: str = "FOLLOW") -> bool:
    if text not in (None, "0", "1"):
        raise UsageError(f"{variable}={text} is neither 0 nor 1: for example {variable}=0.")
    return text != "0"


def _addresses(text: str | None) -> tuple[str, ...] | None:
    """Return addresses to listen on, IPv6 without brackets; none is the default."""
    if not text:
        return None if text is None else ()
    try:
        return tuple(str(ipaddress.ip_address(part.strip().strip("[]"))) for part in text.split(","))
    except ValueError:
        raise UsageError(f"BIND={text} is not a list of IP addresses: for example BIND=0.0.0.0.") from None


def _shown(text: str) -> str:
    """Return a value as a sentence can hold it."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _words(text: str | None) -> tuple[str, ...]:
    """Return what a shell would make of the value."""
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UsageError(
            f"ARGS={_shown(text or '')} cannot be split into words ({error}): for example ARGS=\"-k 'two words'\"."
        ) from None


def _path(given: Mapping[str, str | None], name: str) -> Path | None:
    """Return a path that means the same from every folder."""
    text = given[name]
    try:
        return None if text is None else Path(text).expanduser().resolve()
    except RuntimeError as error:  # an unknown account after ~, a loop of links
        raise UsageError(f"{name.upper()}={text} names no place ({error}): give a path that begins with /.") from None


def _file(given: Mapping[str, str | None], name: str) -> str | None:
    """Return a path with its links as they are: a renewed certificate is a link to another file."""
    text = given[name]
    return None if text is None or _path(given, name) is None else str(Path(text).expanduser().absolute())


def _networks(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None if text is None else ()
    try:
        return tuple(str(ipaddress.ip_network(part.strip(), strict=False)) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"TRUSTED_PROXIES={text} is not a list of addresses or networks: "
            "for example TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7."
        ) from None
