"""The proof's own options, beside Locust's: on the command line, in the environment, in the web interface."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import chaos
from proof.target import REPOSITORY, default_host

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT = REPOSITORY / ".run" / "proof"


def add(parser: Any) -> None:
    """Add the options to Locust's parser."""
    parser.set_defaults(host=os.environ.get("LOCUST_HOST") or default_host(os.environ))
    group = parser.add_argument_group("Proof", "What is published, and what the verdict asks for")

    def option(name: str, kind: Callable[[str], Any], default: Any, words: str) -> None:
        variable = "PROOF_" + name.removeprefix("--").replace("-", "_").upper()
        _shown(group.add_argument(name, type=kind, default=default, env_var=variable, help=words))

    option("--rate", at_least(0.1), 20.0, "Publications a second, of all publishers together (default: 20)")
    option("--replicas", whole(0), 0, "Replicas that must take part; 0: those that answer (default: 0)")
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
    option("--origin", str, "", "Origin header of the handshakes, as a browser sends it (default: none)")
    option("--path", path, "/ws/", "Path of the fanout.v1 WebSocket (default: /ws/)")
    option("--plain-path", path, "/ws/chat/{room}/", "Path of the plain WebSocket (default: /ws/chat/{room}/)")
    option("--kind", str, "chat", "Kind of the durable groups; its data must take a message (default: chat)")
    option("--latest-kind", str, "proof", "Kind of the ephemeral groups of DashboardUser (default: proof)")
    # What the master tells its workers with the other values; nobody gives them.
    for name, value in (("--proof-run", ""), ("--proof-workers", 1), ("--proof-users", 0)):
        _shown(group.add_argument(name, type=type(value), default=value, help=argparse.SUPPRESS), shown=False)


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
    return text


def folder(text: str) -> Path:
    """Return where the report goes."""
    return Path(text).expanduser()
