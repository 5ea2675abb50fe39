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
TLS_SNIPPET = "    include snippets/tls.conf;\n"
BACKLOG = 4096  # what net.core.somaxconn allows by default


class _Template(string.Template):
    """Values are @{name}: the dollar is nginx' own, and so is an at sign before a location's name."""

    pattern = r"@\{(?P<braced>[a-z_]+)\}|(?P<named>(?!))|(?P<escaped>(?!))|(?P<invalid>(?!))"  # type: ignore[assignment]


@dataclass(frozen=True)
class Tls:
    """What the TLS listener needs."""

    port: int
    certificate: str
    key: str


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
    """Of one worker; 0: those that nginx is started with."""
    connections: int
    slots: int = DEFAULT_SLOTS
    trusted_proxies: tuple[str, ...] = ()
    user: str | None = None
    """The workers' account when nginx is started by root."""
    access_log: str = "/dev/stdout"
    errors: Path = TEMPLATES / "errors"
    """The pages for "no replica answers"."""
    tls: Tls | None = None
    """None: no TLS, and snippets/tls.conf is left out."""


def render(edge: Edge) -> str:
    """Return the whole configuration as one file."""
    text = (TEMPLATES / "nginx.conf.template").read_text(encoding="utf-8")
    if edge.tls is None:
        text = text.replace(TLS_SNIPPET, "")
    text = INCLUDE.sub(_snippet, text)
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
        "descriptors": f"worker_rlimit_nofile {edge.descriptors};" if edge.descriptors else "",
        "connections": str(edge.connections),
        "access_log": edge.access_log,
        "static": str(edge.static),
        "errors": str(edge.errors),
        "trusted": "\n  ".join(f"set_real_ip_from {network};" for network in edge.trusted_proxies),
        "trusted_geo": "\n    ".join(f"{network} 1;" for network in edge.trusted_proxies),
        "listen": _listen(edge, edge.port),
        "slots": "\n    ".join(slots),
        **_tls_values(edge),
    }


def _tls_values(edge: Edge) -> dict[str, str]:
    if edge.tls is None:
        return {}
    listen = _listen(edge, edge.tls.port, "ssl", "http2")
    return {"listen_tls": listen, "certificate": edge.tls.certificate, "certificate_key": edge.tls.key}


def _listen(edge: Edge, port: int, *more: str) -> str:
    options = " ".join([*more, f"backlog={BACKLOG}"])
    return "\n    ".join(f"listen {_host(address)}:{port} {options};" for address in edge.bind)


def _slots(edge: Edge) -> range:
    return range(1, edge.slots + 1)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def user() -> str | None:
    """Return the account to name in the configuration: root's own when root starts nginx, else none."""
    return pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None


def write(path: Path, text: str, binary: str) -> bool:
    """Put a configuration in its place if it is new and nginx accepts it; return whether a reload is due."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        candidate = path.with_name("candidate.conf")
        candidate.write_text(text, encoding="utf-8")
        test(candidate, binary)
        _due(path).touch()
        candidate.replace(path)
    return _due(path).exists()


def taken_up(path: Path) -> None:
    """Note that nginx runs with what is in place: until then a reload is due, also for later commands."""
    _due(path).unlink(missing_ok=True)


def _due(path: Path) -> Path:
    return path.with_name("reload-due")


def test(path: Path, binary: str) -> None:
    """Raise FleetError with nginx' own words when it refuses a configuration."""
    command = [binary, "-t", "-q", "-e", "stderr", "-p", str(path.parent), "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise FleetError(f"nginx refuses its configuration {path}: {said[0]}")
