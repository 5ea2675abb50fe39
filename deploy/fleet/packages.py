"""Programs of the distribution: finds them, installs them where it may, and starts no service of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.progress import Progress

PACKAGES = {
    "nginx": "nginx",
    "redis-server": "redis-server",
    "redis-sentinel": "redis-sentinel",
    "postgres": "postgresql",
    "initdb": "postgresql",
    "createdb": "postgresql",
    "chromium": "chromium",
    "curl": "curl",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
    "prometheus-nginx-exporter": "prometheus-nginx-exporter",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "faketime": "faketime",
    "openssl": "openssl",
}
"""Program → the package of Debian and Ubuntu that brings it."""
SERVICES = (
    "nginx",
    "redis-server",
    "redis-sentinel",
    "postgres",
    "prometheus",
    "prometheus-redis-exporter",
    "prometheus-nginx-exporter",
    "prometheus-blackbox-exporter",
)
"""Programs whose packages would start a service named as the package, at the next boot."""

POLICY = Path("/usr/sbin/policy-rc.d")  # packages ask it before they start a service; 101 says no
POLICY_TEXT = "#!/bin/sh\n# Made by `make up` for the time of an installation; may be deleted.\nexit 101\n"
LOCK_SECONDS = 120  # another apt-get may be at work
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not on everybody's PATH
POSTGRESQL = Path("/usr/lib/postgresql")  # Debian keeps each version's programs in a folder of its own, `15/bin`


def find(program: str) -> str | None:
    """Return the path of a program, also where only root looks."""
    versions = sorted(map(str, POSTGRESQL.glob("*/bin")), reverse=True)
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS, *versions))
    return shutil.which(program, path=path)


def require(program: str) -> str:
    """Return the path of a program that was installed before. Raise FleetError when it is gone."""
    if found := find(program):
        return found
    raise FleetError(advice([PACKAGES[program]], privilege()))


def ensure(programs: tuple[str, ...], progress: Progress) -> None:
    """Install what is missing. Raise FleetError that says which command to run when that is not possible."""
    missing = [program for program in programs if find(program) is None]
    if missing:
        install(list(dict.fromkeys(PACKAGES[program] for program in missing)), progress)
        for program in set(missing) & set(SERVICES):
            _disable(PACKAGES[program])


def install(packages: list[str], progress: Progress) -> None:
    """Install packages without what they only recommend and without starting anything."""
    rights = privilege()
    if rights is None or find("apt-get") is None:
        raise FleetError(advice(packages, rights))
    with progress.step(f"install {', '.join(packages)}"), _no_service_starts(rights):
        _apt_get(rights, packages, "update")
        _apt_get(rights, packages, "install", "--yes", "--no-install-recommends", *packages)


def advice(packages: list[str], rights: list[str] | None) -> str:
    """Return the sentence for somebody who has to install them by hand; `rights` as `privilege` has them."""
    names = " ".join(packages)
    verb = "is" if len(packages) == 1 else "are"
    why = " and this account may not install" if rights is None else ""
    command = f"sudo apt-get update && sudo apt-get install --no-install-recommends {names}"
    if find("apt-get") is None:
        command = f"the package manager of this system for {names}"
    return f"{' and '.join(packages)} {verb} not installed{why}: run {command}, then again."


def privilege() -> list[str] | None:
    """Return what to put before a command so that it runs as root; None when this account may not."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def _apt_get(rights: list[str], packages: list[str], *arguments: str) -> None:
    command = [
        *rights, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
        "apt-get", "--quiet", f"-oDPkg::Lock::Timeout={LOCK_SECONDS}", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0 and arguments[0] == "install":
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it gave no reason"]
        raise FleetError(f"apt-get could not install {' '.join(packages)}: {said[0]}")


@contextlib.contextmanager
def _no_service_starts(rights: list[str]) -> Iterator[None]:
    """Forbid packages to start services, unless the machine has a rule of its own."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        yield
        return
    script = 'printf %s "$1" > "$2" && chmod 755 "$2"'
    subprocess.run([*rights, "sh", "-c", script, "sh", POLICY_TEXT, str(POLICY)], check=True)
    try:
        yield
    finally:
        subprocess.run([*rights, "rm", "-f", str(POLICY)], check=False)


def _disable(service: str) -> None:
    """Keep a service that has just been installed from starting at the next boot, under systemd and sysvinit alike."""
    subprocess.run([*(privilege() or []), "update-rc.d", service, "disable"], capture_output=True, check=False)
