"""Speaks to the supervisor over its socket, in the words of the fleet."""

from __future__ import annotations

import contextlib
import http.client
import xmlrpc.client  # nosec B411 - what it reads is our own supervisor's, over a socket of mode 0600
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.errors import FleetError
from fleet.unix import UnixConnection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet.state import Run

ANSWER_SECONDS = 30.0
DOWN = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
NOT_RUNNING, ALREADY_STARTED, BAD_NAME = 70, 60, 10  # supervisor.xmlrpc.Faults


@dataclass(frozen=True)
class Process:
    """One program as the supervisor sees it."""

    name: str
    state: str
    """STARTING, RUNNING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL or UNKNOWN."""
    pid: int

    @property
    def is_down(self) -> bool:
        """Return whether nobody works at bringing it up."""
        return self.state in DOWN


@dataclass(frozen=True)
class Changes:
    """What a reread configuration wants of the running supervisor."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class _Transport(xmlrpc.client.Transport):
    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002  # a file has no host
        return UnixConnection(self._run.control, ANSWER_SECONDS)


class Control:
    """The supervisor of one run folder."""

    def __init__(self, run: Run) -> None:
        self._remote = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(run))

    def answers(self) -> bool:
        """Return whether a supervisor is there and not on its way out."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except FleetError:
            return False

    def processes(self) -> dict[str, Process]:
        """Return every program by its name."""
        rows = self._call("getAllProcessInfo")
        return {row["name"]: Process(row["name"], row["statename"], row["pid"]) for row in rows}

    def start(self, name: str) -> None:
        """Start a program; nothing happens when it runs."""
        self._call("startProcess", name, False, allowed=(ALREADY_STARTED,))

    def stop(self, name: str) -> None:
        """Ask a program to end and return at once; nothing happens when it does not run."""
        self._call("stopProcess", name, False, allowed=(NOT_RUNNING, BAD_NAME))

    def signal(self, name: str, number: str) -> None:
        """Send a signal to a program."""
        self._call("signalProcess", name, number)

    def reread(self) -> Changes:
        """Read the configuration again; nothing is started or stopped by that."""
        added, changed, removed = self._call("reloadConfig")[0]
        return Changes(tuple(added), tuple(changed), tuple(removed))

    def add(self, name: str) -> None:
        """Take up a program of the configuration and start it."""
        self._call("addProcessGroup", name)

    def remove(self, name: str) -> None:
        """Forget a program that has ended."""
        self._call("removeProcessGroup", name)

    def shut_down(self) -> None:
        """End the supervisor and what it still runs."""
        with contextlib.suppress(FleetError):
            self._call("shutdown")

    def still_up(self, names: Iterable[str]) -> list[str]:
        """Return those of the named programs that have not ended."""
        known = self.processes()
        return [name for name in names if name in known and not known[name].is_down]

    def _call(self, method: str, *arguments: Any, allowed: tuple[int, ...] = ()) -> Any:
        try:
            return getattr(self._remote.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in allowed:
                return None
            raise FleetError(
                f"The supervisor refuses {method} ({fault.faultString}): `make down && make up` starts it anew."
            ) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise FleetError(f"The supervisor does not answer ({error}): `make up` heals the fleet.") from None
