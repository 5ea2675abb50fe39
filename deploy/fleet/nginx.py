"""nginx' configuration from the templates in `nginx/`, tested before it counts."""

from __future__ import annotations

import os
import pwd
import re
import string
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.errors import FleetError
from fleet.options import REPOSITORY
from fleet.state import DEFAULT_SLOTS

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = REPOSITORY / "nginx"
INCLUDE = re.compile(r"^( *)include (snippets/[a-z-]+\.conf);$", re.MULTILINE)
BACKLOG = 4096  # what net.core.somaxconn allows by default


class _Template(string.Template):
    """Values are @{name}: the dollar is nginx' own."""

    delimiter = "@"


@dataclass(frozen=True)
class Edge:
    """The run-time values of nginx; everything else stands in the templates."""

    port: int
    bind: tuple[str, ...]
    sockets: Path
    static: Path
    prefix: Path
    """Folder for temporary files; the workers' working directory."""
    pid: Path
    descriptors: int
    connections: int
    slots: int = DEFAULT_SLOTS
    trusted_proxies: tuple[str, ...] = ()
    user: str | None = None
    """The workers' account when nginx is started by root."""
    access_log: str = "/dev/stdout"


def render(edge: Edge) -> str:
    """Return the whole configuration as one file."""
    text = INCLUDE.sub(_snippet, (TEMPLATES / "nginx.conf.template").read_text(encoding="utf-8"))
    return _Template(text).substitute(_values(edge))


def _snippet(include: re.Match[str]) -> str:
    """Return a snippet indented as the line that names it, under a heading."""
    indent, name = include.groups()
    lines = (TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"# ---- {name}", *lines))


def _values(edge: Edge) -> dict[str, str]:
    slots = [f'server "unix:{edge.sockets}/web-{number}.sock" max_fails=1 fail_timeout=1s;' for number in _slots(edge)]
    return {
        "user": f"user {edge.user};" if edge.user else "",
        "pid": str(edge.pid),
        "prefix": str(edge.prefix),
        "descriptors": str(edge.descriptors),
        "connections": str(edge.connections),
        "access_log": edge.access_log,
        "static": str(edge.static),
        "errors": str(TEMPLATES / "errors"),
        "trusted": "\n  ".join(f"set_real_ip_from {network};" for network in edge.trusted_proxies),
        "trusted_geo": "\n    ".join(f"{network} 1;" for network in edge.trusted_proxies),
        "listen": "\n    ".join(f"listen {_host(address)}:{edge.port} backlog={BACKLOG};" for address in edge.bind),
        "slots": "\n    ".join(slots),
    }


def _slots(edge: Edge) -> range:
    return range(1, edge.slots + 1)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def user() -> str | None:
    """Return the account to name in the configuration: root's own when root starts nginx, else none."""
    return pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None


def write(path: Path, text: str, binary: str) -> bool:
    """Put a configuration in its place if it is new and nginx accepts it; return whether it is new."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    candidate = path.with_name("candidate.conf")
    candidate.write_text(text, encoding="utf-8")
    test(candidate, binary)
    candidate.replace(path)
    return True


def test(path: Path, binary: str) -> None:
    """Raise FleetError with nginx' own words when it refuses a configuration."""
    command = [binary, "-t", "-q", "-e", "stderr", "-p", str(path.parent), "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise FleetError(f"nginx refuses its configuration {path}: {said[0]}")
