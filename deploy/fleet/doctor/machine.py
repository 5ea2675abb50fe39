"""The traps of the machine: kernel limits, leftovers, certificates, disks."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet import environment, limits, tls
from fleet.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fleet.state import Run, Settings

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
BACKLOG = 4096
"""Handshakes that wait for a replica or for nginx."""
DESCRIPTORS = 10_000
"""Open files of a process: nginx carries half as many clients, the 5,000 that a fleet is to take at once."""
RENEWED_DAYS = 21
"""Days before its end: who renews by itself does so 30 days before."""
FREE_BYTES = 1 << 30
"""Of the disk under the run folder: Redis rewrites its file beside the old one."""
OTHERS = stat.S_IRWXO
PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
"""Of a URL."""
CROWD = 20
"""Clients that are hardly one machine's own."""
WIDE_BITS = 8
"""Of a network's prefix: a shorter one is nobody's own."""


def findings(run: Run, settings: Settings, descriptors: int) -> Iterator[Finding]:
    """Yield what is wrong with this machine; `descriptors` is what one process may open."""
    yield from _of_kernel(_number(SOMAXCONN), _number(OVERCOMMIT))
    yield from of_descriptors(descriptors)
    yield from of_sockets(run.sockets)
    yield from _of_disk(run.root)
    yield from of_proxies(settings.trusted_proxies)
    if settings.tls_port:
        yield from _of_certificate(settings)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _of_kernel(somaxconn: int | None, overcommit: int | None) -> Iterator[Finding]:
    if somaxconn is not None and somaxconn < BACKLOG:
        yield Finding(
            f"The kernel lets {somaxconn} handshakes wait for a listener (net.core.somaxconn).",
            "Of 1,000 clients that came back at once 88 % got a 502 with a backlog of 50, none with 4,096.",
            f"sudo sysctl -w net.core.somaxconn={BACKLOG}",
        )
    if overcommit == 2:  # noqa: PLR2004 - the kernel's word for never
        yield Finding(
            "The kernel promises no more memory than there is (vm.overcommit_memory = 2).",
            "Redis forks to rewrite its file, and the fork is refused above half of the memory: the file grows without "
            "end.",
            "sudo sysctl -w vm.overcommit_memory=1",
        )


def of_descriptors(descriptors: int) -> Iterator[Finding]:
    """Yield what is wrong with the limit on open files of one process."""
    if descriptors < DESCRIPTORS:
        yield Finding(
            f"A process of this account may open {descriptors:,} files.",
            f"A client takes two of nginx': a worker carries {descriptors // 2:,} of them at most.",
            "`* hard nofile 65536` in /etc/security/limits.conf, log in anew, then make down && make up",
        )


def of_sockets(folder: Path) -> Iterator[Finding]:
    """Yield what is wrong in the folder of the replicas' sockets."""
    for lock in sorted(folder.glob("*.lock")):
        yield Finding(
            f"{lock} is left of a plain `daphne -u`.",
            "It names a process id; where that lives again, in a container always, Daphne says `Cannot acquire lock` "
            "for ever.",
            f"rm {lock}",
        )
    for path in sorted(folder.glob("*.sock")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if mode & OTHERS and folder.lstat().st_mode & OTHERS:
            yield Finding(
                f"{path} lets every account of this machine in (mode {stat.S_IMODE(mode):o}).",
                "Whoever connects past nginx names any client address in X-Real-IP, and reads /metrics.",
                f"chmod 750 {folder}",
            )


def of_env_file(path: Path) -> Iterator[Finding]:
    """Yield what is wrong with a file of variables that holds a secret."""
    if not path.is_file():
        return
    mode, variables = path.stat().st_mode, environment.read_file(path)
    has_secret = bool(variables.get("FANOUT_SECRET_KEY")) or any(map(PASSWORD.search, variables.values()))
    if mode & OTHERS and has_secret:
        yield Finding(
            f"Every account of this machine can read the secrets in {path} (mode {stat.S_IMODE(mode):o}).",
            "Whoever has the key makes anybody's sessions; whoever has a password of Redis or PostgreSQL has the data.",
            f"chmod 600 {path}",
        )


def _of_disk(folder: Path) -> Iterator[Finding]:
    at = folder if folder.exists() else folder.parent
    if at.exists() and (free := shutil.disk_usage(at).free) < FREE_BYTES:
        yield Finding(
            f"The disk under {folder} has {free >> 20} MiB left.",
            "When it is full Redis cannot append, and refuses every publication to a durable group.",
            f"df -h {folder}; then make room, or RUN_DIR= on another disk",
        )


def of_proxies(networks: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what is wrong with TRUSTED_PROXIES."""
    for network in networks:
        if int(network.partition("/")[2] or WIDE_BITS) < WIDE_BITS:
            yield Finding(
                f"TRUSTED_PROXIES={network} trusts nearly everybody.",
                "Any client then names its own address in X-Forwarded-For: limits and logs by address are void, and "
                "/ops/ is open to who says 127.0.0.1.",
                "TRUSTED_PROXIES= with the addresses of your proxies, for example 10.0.0.7",
            )


def of_limits(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong when the replicas that run were started without limits."""
    if limits.is_off(variables):
        yield Finding(
            "The fleet runs without any limit for clients (FANOUT_LIMITS=off).",
            "One address may open every connection that there is, and one socket publish without end.",
            f"unset FANOUT_LIMITS, then make restart; {limits.EXEMPT}=192.0.2.7 is for one machine alone",
        )


def of_addresses(answers: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield what is wrong when all clients have one address; `answers` is what each replica says of itself."""
    told = [(int(answer.get("connections") or 0), int(answer.get("addresses") or 0)) for answer in answers]
    connections = sum(count for count, _ in told)
    if connections >= CROWD and all(addresses <= 1 for _, addresses in told):
        yield Finding(
            f"All {connections} clients have one address.",
            "A proxy, a bridge or a CDN in front is not named: limits by address are kept for all of them together, or "
            "for nobody, and logs don't tell them apart. (A load from one machine looks the same.)",
            "TRUSTED_PROXIES= with the addresses of what is in front; in Kubernetes k8s/24-trusted-proxies.yaml",
        )


def _of_certificate(settings: Settings) -> Iterator[Finding]:
    certificate, key = settings.tls_certificate, settings.tls_key
    try:
        ends = tls.ends(certificate)
        mode = Path(key).stat().st_mode
    except OSError:
        return  # `make up` says it
    days = (ends - dt.datetime.now(dt.UTC)).total_seconds() / 86_400
    yield from of_end(certificate, days, "make up" if settings.own_certificate else "renew it, then make up")
    if mode & OTHERS:
        yield Finding(
            f"Every account of this machine can read the key {key} (mode {stat.S_IMODE(mode):o}).",
            "Whoever has it is your site to any browser.",
            f"chmod 600 {key}",
        )


def of_end(certificate: str, days: float, remedy: str = "renew it, then make up") -> Iterator[Finding]:
    """Yield what is wrong with a certificate that ends in so many days."""
    if days < RENEWED_DAYS:
        when = f"ends in {days:.0f} days" if days > 0 else f"has ended {-days:.0f} days ago"
        yield Finding(
            f"The certificate {certificate} {when}.",
            "From then on no browser connects, and pages tell nobody why their sockets fail.",
            remedy,
        )
