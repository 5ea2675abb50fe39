"""Waits until replicas are ready, and until a message goes from a client through nginx to a client."""

from __future__ import annotations

import json
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from fleet import ports, tls, waiting
from fleet.answering import replica_at
from fleet.errors import FleetError
from fleet.logs import readable
from fleet.unix import get_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleet.control import Control
    from fleet.progress import Step
    from fleet.state import Run, Settings

READY_SECONDS = 60.0  # a cold start on a busy machine takes ten
HOPELESS_SECONDS = 6.0  # a replica that keeps ending for that long has a reason that waiting does not heal
END_TO_END_SECONDS = 20.0
ANSWER_SECONDS = 5.0
SEEN_SECONDS = 3.0  # three times the second for which nginx leaves a failed slot alone
LOG_TAIL_BYTES = 4096


def state(run: Run, name: str) -> dict[str, Any] | None:
    """Return what a replica's /readyz says; None when it does not answer."""
    return get_json(run.socket(name), "/readyz")


def wait(run: Run, control: Control, names: Iterable[str], step: Step) -> None:
    """Wait until each named replica is ready. Raise FleetError that names the first one that is not."""
    missing, begin = list(names), time.monotonic()
    total, ending_since = len(missing), begin

    def all_ready() -> bool:
        nonlocal ending_since
        missing[:] = [name for name in missing if (state(run, name) or {}).get("status") != "ready"]
        step.note = f"{total - len(missing)} of {total}"
        if not _keeps_ending(control, missing):
            ending_since = time.monotonic()
        return not missing or time.monotonic() - ending_since > HOPELESS_SECONDS

    waiting.until(all_ready, READY_SECONDS)
    if missing:
        raise FleetError(explain(run, missing[0]))


def _keeps_ending(control: Control, names: Iterable[str]) -> bool:
    processes = control.processes()
    return any(name in processes and processes[name].state in ("BACKOFF", "FATAL") for name in names)


def explain(run: Run, name: str) -> str:
    """Return the sentence about a replica that does not get ready."""
    answer = state(run, name)
    if answer is None:
        return f"{name} does not answer; it last said: {last_line(run, name)} (`make logs NAME={name}` tells more)."
    checks = answer.get("checks", {})
    ill = [f"{check}: {verdict}" for check, verdict in checks.items() if verdict != "ok"] or [str(answer.get("status"))]
    return f"{name} runs but is not ready ({'; '.join(ill)}): `make logs NAME={name}` tells more."


def last_line(run: Run, name: str) -> str:
    """Return the last line in the log of a process."""
    try:
        with (run.logs / f"{name}.log").open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        lines = []
    return next((readable(line.strip())[0] for line in reversed(lines) if line.strip()), "nothing")


def host(settings: Settings, variables: Mapping[str, str]) -> str:
    """Return a Host header that the application accepts."""
    allowed = variables.get("FANOUT_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    return f"{'localhost' if allowed in ('', '*') else allowed}:{settings.way_in}"


def end_to_end(settings: Settings, variables: Mapping[str, str]) -> None:
    """Send a chat message through nginx and get it back. Raise FleetError when it does not come."""
    failure = "no answer"

    def comes_back() -> bool:
        nonlocal failure
        try:
            echo(settings, variables)
        except (OSError, WebSocketException, ValueError) as error:
            failure = str(error) or type(error).__name__
            return False
        return True

    if not waiting.until(comes_back, END_TO_END_SECONDS):
        raise FleetError(f"No chat message comes through nginx ({failure}): `make logs` tells more.")


def echo(settings: Settings, variables: Mapping[str, str]) -> None:
    """Send one message in a room of its own, so that nobody in the lobby reads it, and await it."""
    sent = secrets.token_hex(8)
    with (
        socket.create_connection((ports.first(settings), settings.way_in), timeout=ANSWER_SECONDS) as link,
        connect(
            f"ws{'s' if settings.tls else ''}://{host(settings, variables)}/ws/chat/fleet-{sent}/",
            sock=link, proxy=None, open_timeout=ANSWER_SECONDS, close_timeout=ANSWER_SECONDS,
            ssl=tls.trusting(settings.tls_certificate) if settings.tls else None,
        ) as client,
    ):  # fmt: skip
        client.send(json.dumps({"message": sent}))
        received = json.loads(client.recv(timeout=ANSWER_SECONDS))
        if received.get("message") != sent:
            raise ValueError(f"sent {sent}, received {received}")


def wait_until_seen(settings: Settings, variables: Mapping[str, str], name: str) -> None:
    """Wait until nginx gives requests to a replica again; go on without when it takes too long."""
    waiting.until(lambda: answering(settings, variables) == name, SEEN_SECONDS)


def answering(settings: Settings, variables: Mapping[str, str]) -> str | None:
    """Return the replica that answers a request through nginx; None when there is no answer."""
    return replica_at(ports.first(settings), settings, host(settings, variables))
