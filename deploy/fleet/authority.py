"""Keeps the files of the fleet's own certificate authority, and says how to trust it."""

from __future__ import annotations

import datetime as dt
import shlex
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet import tls
from fleet.errors import FleetError
from fleet.state import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fleet.progress import Progress
    from fleet.state import Settings

    Renew = Callable[[dict[str, str], Sequence[str]], dict[str, str]]

HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Files:
    """Where the certificates and their keys lie: in the run folder, for its owner alone; they outlive `make down`."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What browsers are told to trust."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """Whoever has it can be this machine to them."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        """The server's."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """The server's."""
        return self.folder / "key.pem"

    def read(self) -> dict[str, str]:
        """Return what is there. Raise FleetError for what cannot be read."""
        try:
            return {name: path.read_text("ascii") if path.exists() else "" for name, path in self._named().items()}
        except (OSError, UnicodeDecodeError) as error:
            raise FleetError(
                f"The certificates in {self.folder} cannot be read ({error}): delete the folder, and new ones are made."
            ) from None

    def write(self, made: Mapping[str, str]) -> None:
        """Write what differs; a key before its certificate, so that what is torn is seen to be."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        named, held = self._named(), self.read()
        for name in ("authority_key", "authority", "key", "certificate"):
            if made[name] != held[name]:
                write_private(named[name], made[name])

    def _named(self) -> dict[str, Path]:
        return {
            "authority": self.authority, "authority_key": self.authority_key,
            "certificate": self.certificate, "key": self.key,
        }  # fmt: skip


def names(settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Return under what this machine is reached: the loopbacks, its name and addresses, the application's hosts."""
    hosts = [host.strip() for host in variables.get("FANOUT_ALLOWED_HOSTS", "").split(",")]
    # A leading dot is Django's word for a domain and all below it.
    below = [name for host in hosts if host.startswith(".") for name in (host[1:], f"*{host}")]
    return [*HERE, socket.gethostname(), *(settings.bind or ()), *hosts, *below]


def ensure(files: Files, named: Sequence[str], progress: Progress, renew: Renew) -> None:
    """Have the certificates there, valid and for these names. What is made anew is told."""
    held = files.read()
    with progress.step("look at the certificate") as step:
        made = renew(held, named)
        files.write(made)
        if made["certificate"] != held["certificate"]:
            step.note = "made anew" if held["certificate"] else "made"
    if made["authority"] != held["authority"]:
        progress.say(f"  Made {'another' if held['authority'] else 'an'} authority, which nobody trusts yet.")


def renew_here(held: dict[str, str], named: Sequence[str]) -> dict[str, str]:
    """Make what is needed, in the virtual environment."""
    # Here, since verbs run without it, too.
    from dataclasses import asdict

    from fleet import certificates

    now = dt.datetime.now(dt.UTC)
    return asdict(certificates.renewed(certificates.Material(**held), named, now))


def banner(settings: Settings, files: Files, address: str) -> str:
    """Return what `make up` says about TLS, behind the address at which the fleet answers."""
    if not settings.tls_port:
        return ""
    if not settings.tls:
        return f" and over TLS on port {settings.tls_port}"
    said = f"\nPlain HTTP on port {settings.port} is sent there."
    return said + (_advice(files, address) if settings.own_certificate else "")


def _advice(files: Files, address: str) -> str:
    path = shlex.quote(str(files.authority))
    return f"""
Its certificate, until {tls.ends(str(files.certificate)):%Y-%m-%d}, is of an authority of its own. To trust that:
  curl --cacert {path} {address}
  Chromium       certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n fanout -i {path}
  Debian         sudo install -m 644 {path} /usr/local/share/ca-certificates/fanout.crt && sudo update-ca-certificates
  Firefox        Settings, Certificates, Authorities, Import, for websites; the key beside the file is yours alone"""


def line(settings: Settings, address: str) -> str:
    """Return what `make status` says about TLS below its table."""
    if not settings.tls_port:
        return ""
    try:
        until = f"its certificate is good until {tls.ends(settings.tls_certificate):%Y-%m-%d}"
    except OSError:
        until = f"its certificate {settings.tls_certificate} cannot be read"
    where = address if settings.tls else f"port {settings.tls_port}"
    return f"\n\nTLS: {where}, {until}."
