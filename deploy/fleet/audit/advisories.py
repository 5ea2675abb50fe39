"""pip-audit on the lock files: whether a version that they pin is known to be vulnerable.

It asks OSV, or the mirror of it that AUDIT_OSV names; where that is not reached nothing can be said, and that is said.
"""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleet.audit import tools
from fleet.bootstrap import RUNTIME
from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCKS = (RUNTIME, "loadtest/requirements.txt")
"""What images hold; the tools of development serve nobody."""
OSV = "https://api.osv.dev/v1/query"
MIRROR = "AUDIT_OSV"
REACH_SECONDS = 2.0
IGNORED: dict[str, str] = {}
"""Advisories that do not hold here, by their id, and why not."""


def absence(environ: Mapping[str, str] = os.environ) -> str:
    """Return why nothing can be asked; nothing when a database is reached."""
    address = urlsplit(environ.get(MIRROR) or OSV)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError as error:
        return f"no advisories: {host} is not reached ({error.strerror or error}); {MIRROR} names a mirror"
    return ""


def problems(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return each pinned version with an advisory. Raise FleetError when the tool cannot be had."""
    words = [word for lock in LOCKS for word in ("--requirement", lock)]
    ignored = [word for name in IGNORED for word in ("--ignore-vuln", name)]
    command = [
        tools.program("pip-audit"), "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off",
        "--vulnerability-service", "osv", "--osv-url", environ.get(MIRROR) or OSV, *ignored, *words,
    ]  # fmt: skip
    done = tools.run(command)
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise FleetError(f"pip-audit gave no report: {_last(done.stderr)}") from None
    return judged(told)


def judged(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each advisory, and one when nothing was looked at."""
    if not any("vulns" in each for each in told):
        return ["pip-audit looked at nothing: its database knows none of the packages."]
    return [
        f"{each['name']} {each['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none yet'}"
        for each in told
        for flaw in each.get("vulns", ())
    ]


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if re.search(r"\S", line)]
    return lines[-1] if lines else "it said nothing"
