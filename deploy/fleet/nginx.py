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

    from fleet.limits import ClientLimits

TEMPLATES = REPOSITORY / "nginx"
INCLUDE = re.compile(r"^( *)include (snippets/[a-z-]+\.conf);$", re.MULTILINE)
TLS_SNIPPET = "    include snippets/tls.conf;\n"
LIMITS_SNIPPET = "  include snippets/client-limits.conf;\n"
REDIRECT_SNIPPET = "  include snippets/redirect.conf;\n\n"
INSIDE_SNIPPET = "  include snippets/inside.conf;\n\n"
STORM_SECONDS = 10
"""Of handshakes at once; as app/fanout/limits/admission.py has it."""
HSTS_HERE = "max-age=60"  # under the name localhost, which every server of a developer's machine shares
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
    digest: str = ""
    """Of both files: when they change under their old paths, the configuration differs and is taken up."""
    only_at: str | None = None
    """TLS is the only way in, and plain HTTP is sent to this port: `:8443`, or nothing for 443. None: both go on."""
    hsts: str = ""
    """Strict-Transport-Security of answers over TLS; empty: none."""


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
    workers: str = "auto"
    trusted_proxies: tuple[str, ...] = ()
    trusted_files: Path | None = None
    """Folder of files that name more of them while nginx starts: addresses.conf and scheme.conf."""
    user: str | None = None
    """The workers' account when nginx is started by root."""
    access_log: str = "/dev/stdout"
    errors: Path = TEMPLATES / "errors"
    """The pages for "no replica answers"."""
    tls: Tls | None = None
    """None: no TLS, and snippets/tls.conf is left out."""
    limits: ClientLimits | None = None
    """None: no limit by address, and snippets/client-limits.conf is left out."""
    inside_port: int = 0
    """A port for what else is only for this machine; 0: none, and snippets/inside.conf is left out."""


def render(edge: Edge) -> str:
    """Return the whole configuration as one file."""
    text = (TEMPLATES / "nginx.conf.template").read_text(encoding="utf-8")
    if edge.tls is None:
        text = text.replace(TLS_SNIPPET, "")
    if edge.limits is None:
        text = text.replace(LIMITS_SNIPPET, "")
    if edge.tls is None or edge.tls.only_at is None:
        text = text.replace(REDIRECT_SNIPPET, "")
    if not edge.inside_port:
        text = text.replace(INSIDE_SNIPPET, "")
    text = INCLUDE.sub(_snippet, text)
    return _Template(text).substitute(_values(edge))


def _snippet(include: re.Match[str]) -> str:
    """Return a snippet indented as the line that names it, under a heading."""
    indent, name = include.groups()
    lines = INCLUDE.sub(_snippet, (TEMPLATES / name).read_text(encoding="utf-8")).splitlines()
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"# ---- {name}", *lines))


def _values(edge: Edge) -> dict[str, str]:
    slots = [f'server "unix:{edge.sockets}/web-{number}.sock" max_fails=1 fail_timeout=1s;' for number in _slots(edge)]
    return {
        "user": f"user {edge.user};" if edge.user else "",
        "pid": str(edge.pid),
        "prefix": str(edge.prefix),
        "descriptors": f"worker_rlimit_nofile {edge.descriptors};" if edge.descriptors else "",
        "connections": str(edge.connections),
        "workers": edge.workers,
        "access_log": edge.access_log,
        "sockets": str(edge.sockets),
        "static": str(edge.static),
        "errors": str(edge.errors),
        "trusted": "\n  ".join(_trusted(edge, "set_real_ip_from {};", "addresses.conf")),
        "trusted_geo": "\n    ".join(_trusted(edge, "{} 1;", "scheme.conf")),
        "port": str(edge.port),
        "listen": "" if edge.tls and edge.tls.only_at is not None else _listen(edge, edge.port),
        "listen_plain": _listen(edge, edge.port),
        "listen_inside": _listen(edge, edge.inside_port),
        "slots": "\n    ".join(slots),
        **_tls_values(edge),
        **_limit_values(edge.limits),
    }


def _trusted(edge: Edge, line: str, file: str) -> list[str]:
    files = [f'include "{edge.trusted_files}/{file}";'] if edge.trusted_files else []
    return [*(line.format(network) for network in edge.trusted_proxies), *files]


def _tls_values(edge: Edge) -> dict[str, str]:
    if edge.tls is None:
        return {"hsts": "", "hsts_here": ""}
    return {
        "listen_tls": _listen(edge, edge.tls.port, "ssl", "http2"),
        "certificate": edge.tls.certificate,
        "certificate_key": edge.tls.key,
        "certificate_digest": edge.tls.digest,
        "tls_port": edge.tls.only_at or "",
        "hsts": edge.tls.hsts,
        "hsts_here": HSTS_HERE if edge.tls.hsts else "",
    }


def _limit_values(limits: ClientLimits | None) -> dict[str, str]:
    if limits is None:
        return {}
    most, rate = limits.connections, limits.handshakes
    zone = f"limit_req_zone $shaking_client zone=handshakes:10m rate={rate}r/s;"
    return {
        "exempt": "\n    ".join(f"{network} 0;" for network in limits.exempt),
        "connection_limit": f"limit_conn clients {most};" if most else "",
        "handshake_zone": zone if rate else "",
        "handshake_limit": f"limit_req zone=handshakes burst={STORM_SECONDS * rate} nodelay;" if rate else "",
    }


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
