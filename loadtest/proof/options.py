"""The proof's own options, beside Locust's: on the command line, in the environment, in the web interface."""

from __future__ import annotations

import argparse
import math
import os
import re
import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import trust
from proof.generator import chaos
from proof.target import REPOSITORY, default_host, default_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPORT = REPOSITORY / ".run" / "proof"
KIND = re.compile(r"[a-zA-Z0-9_-]{1,60}")
"""A group's name has up to 99 characters: the run's own name and a room's number need some 30 behind the kind."""
PLACES = {"--p99": {"dest": "latency_limit"}}
"""Locust's web interface does not find the value of an option with digits in its name again."""
_options: dict[str, tuple[str, Callable[[str], Any], Any]] = {}
"""Name, reader and default of each option, by its place in the parsed ones."""


def add(parser: Any) -> None:
    """Add the options to Locust's parser."""
    parser.set_defaults(host=os.environ.get("LOCUST_HOST") or default_host(os.environ))
    group = parser.add_argument_group("Proof", "What is published, and what the verdict asks for")

    def option(name: str, kind: Callable[[str], Any], default: Any, words: str) -> None:
        variable = "PROOF_" + name.removeprefix("--").replace("-", "_").upper()
        action = group.add_argument(
            name, type=kind, default=default, env_var=variable, help=words, **PLACES.get(name, {})
        )
        _shown(action)
        _options[action.dest] = name, kind, default

    _add_load(option)
    _add_way(option)
    # What the master tells its workers with the other values; nobody gives them.
    for name, value in (("--proof-run", ""), ("--proof-workers", 1), ("--proof-users", 0)):
        _shown(group.add_argument(name, type=type(value), default=value, help=argparse.SUPPRESS), shown=False)


def _add_load(option: Callable[[str, Callable[[str], Any], Any, str], None]) -> None:
    """Add what is published, what is done meanwhile, and what is asked for."""
    option("--rate", at_least(0.1), 20.0, "Publications a second, of all publishers together (default: 20)")
    option("--replicas", whole(0), 0, "Replicas that must take part; 0: those that answer (default: 0)")
    option("--changing", whole(0), 0, "1: replicas come and go, so that not all of them meet (default: 0)")
    option("--p99", at_least(1), 500.0, "Milliseconds from publish to receive that 99 %% may take (default: 500)")
    option("--rooms", whole(0), 0, "Chat rooms of RoomUser; 0: one for each 30 users of the run (default: 0)")
    option("--publishers", whole(1), 2, "Publishers of each room on each replica (default: 2)")
    option("--size", whole(64), 100, "Characters of a publication's text (default: 100)")
    option("--settle", at_least(1), 15.0, "Seconds for the last publications to arrive (default: 15)")
    option(
        "--chaos", chaos.parse, "",
        "What is done to the fleet meanwhile, evenly spread over the run time or at a second: "
        "restart,redis-kill@20,reload (default: nothing)",
    )  # fmt: skip
    option("--report", str, str(REPORT), "Folder of the report and its JSON (default: .run/proof)")


def _add_way(option: Callable[[str, Callable[[str], Any], Any, str], None]) -> None:
    """Add how the server is reached, and which kinds of groups it has."""
    option("--origin", origin, "", "Origin header of the handshakes, as a browser sends it (default: none)")
    option("--trust", readable, default_trust(os.environ),
           "A file with the certificate of whom to believe over TLS: an authority, or the very server "
           "(default: the fleet's that was started here, else this machine's authorities)")  # fmt: skip
    option("--path", path, "/ws/", "Path of the fanout.v1 WebSocket (default: /ws/)")
    option("--plain-path", room_path, "/ws/chat/{room}/", "Path of the plain WebSocket (default: /ws/chat/{room}/)")
    option("--kind", kind_name, "chat", "Kind of the durable groups; its data must take a message (default: chat)")
    option("--latest-kind", kind_name, "proof", "Kind of the ephemeral groups of DashboardUser (default: proof)")


def refusal(form: Mapping[str, str]) -> str | None:
    """Return which text of the web interface's form can't be meant; None when all can: Locust looks at none."""
    for place, (name, kind, _) in _options.items():
        try:
            kind(form.get(place, ""))
        except argparse.ArgumentTypeError as error:
            if place in form:
                return f"{name}: {error}."
    return None


def again(given: argparse.Namespace, host: str, seconds: float) -> str:
    """Return the command that repeats a run; what the web interface was told stands behind what was typed."""
    words = sys.argv[1:]
    if not given.headless:
        words += [
            "--headless", f"--host={host}", f"--users={given.num_users or 1}",
            f"--spawn-rate={given.spawn_rate or 1:g}", f"--run-time={math.ceil(seconds) or 1}s",
            *chosen(given),
        ]  # fmt: skip
    return shlex.join(["locust", *words])


def chosen(given: argparse.Namespace) -> list[str]:
    """Return the words of a command line for what is not as it is by default."""
    return [
        f"{name}={getattr(given, place)}"
        for place, (name, _, default) in _options.items() if getattr(given, place) != default
    ]  # fmt: skip


def _shown(action: Any, *, shown: bool = True) -> None:
    """Say whether the web interface shows an option; Locust's own way to say so knows no groups."""
    action.include_in_web_ui, action.is_secret, action.is_required, action.is_multiple = shown, False, False, False


def new_run() -> str:
    """Return the name of a run: nobody else talks in its groups."""
    return f"proof-{secrets.token_hex(4)}"


def whole(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` on."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} on")
        return int(text)

    return read


def at_least(least: float) -> Callable[[str], float]:
    """Return a reader of numbers from `least` on."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least:g} on")
        return value

    return read


def path(text: str) -> str:
    """Return a path. Raise ArgumentTypeError."""
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text} is no path: it begins with /, as in /ws/")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text} is no path: write what is no letter of ASCII as %xx")
    return text


def room_path(text: str) -> str:
    """Return a path in which {room} may stand. Raise ArgumentTypeError."""
    try:
        path(text).format(room="")
    except (LookupError, ValueError, AttributeError):
        raise argparse.ArgumentTypeError(f"{text} is no path: only {{room}} may stand in braces") from None
    return text


def origin(text: str) -> str:
    """Return what can be an Origin header, or nothing. Raise ArgumentTypeError."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text} is no origin: give one like https://example.org")
    return text


def readable(text: str) -> str:
    """Return a file with a certificate, or nothing. Raise ArgumentTypeError."""
    try:
        trust.context(text)
    except OSError as error:  # ssl.SSLError is one
        raise argparse.ArgumentTypeError(f"{text} holds no certificate in PEM format ({error.strerror})") from None
    return text


def kind_name(text: str) -> str:
    """Return the kind of a group. Raise ArgumentTypeError."""
    if not KIND.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no kind of groups: 1 to 60 of letters, digits, - and _ (ASCII)")
    return text


def folder(text: str) -> Path:
    """Return where the report goes."""
    return Path(text).expanduser()
