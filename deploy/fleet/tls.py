"""Whether nginx can use the certificate and the key that it is given; asked before anything is started."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.errors import UsageError
from fleet.state import UNSAFE

if TYPE_CHECKING:
    from fleet.state import Settings

HINT = "for example TLS_PORT=8443 TLS_CERTIFICATE=fullchain.pem TLS_KEY=privkey.pem"
DEFAULT_PORT = 8443
HTTPS = 443
END = "-----END CERTIFICATE-----"


def refuse_unusable(settings: Settings) -> None:
    """Raise UsageError with a sentence that names the value or the file which does not fit."""
    if not settings.tls_port:
        return
    if settings.tls_port == settings.port:
        raise UsageError(f"TLS_PORT={settings.tls_port} is PORT too: take another one, {HINT}.")
    if settings.own_certificate:
        return  # it is made, or made anew, before nginx needs it
    if not (settings.tls_certificate and settings.tls_key):
        raise UsageError(
            f"TLS_PORT={settings.tls_port} needs a certificate and its key: {HINT}; TLS=1 makes one of the fleet's own."
        )
    for name, path in (("TLS_CERTIFICATE", settings.tls_certificate), ("TLS_KEY", settings.tls_key)):
        _refuse_unsafe(name, path)
        _refuse_unreadable(name, path)
    _refuse_mismatch(settings.tls_certificate, settings.tls_key)
    _refuse_ended(settings.tls_certificate)


def _refuse_unsafe(name: str, path: str) -> None:
    if found := UNSAFE.search(path):
        raise UsageError(
            f"{name}={path} has {found[0]!r} in its path, which nginx' configuration cannot hold: rename or move it."
        )


def _refuse_unreadable(name: str, path: str) -> None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a text from the command line
            file.read(1)
    except OSError as error:
        raise UsageError(
            f"{name}={path} cannot be read ({error.strerror}): name a file in PEM format, or end TLS with TLS_PORT=0."
        ) from None


def _refuse_mismatch(certificate: str, key: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(
                f"TLS_KEY={key} is not the key of TLS_CERTIFICATE={certificate}: name the two that were made together."
            ) from None
        raise UsageError(
            f"TLS_CERTIFICATE={certificate} and TLS_KEY={key} are not a certificate and its key in PEM format, "
            "the key without a password: name such files."
        ) from None


def _refuse_ended(certificate: str) -> None:
    if (ended := ends(certificate)) < dt.datetime.now(dt.UTC):
        raise UsageError(
            f"TLS_CERTIFICATE={certificate} has ended on {ended:%Y-%m-%d}, and no browser connects with it: renew it, "
            "take TLS=1 for a certificate of the fleet's own, or end TLS with TLS=0."
        )


def ends(certificate: str) -> dt.datetime:
    """Return until when a certificate is valid. Raise OSError when it cannot be read, ssl.SSLError is one."""
    # The one way of the standard library to read a certificate's file.
    told: dict[str, Any] = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]  # noqa: SLF001
    return dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), dt.UTC)


def digest(*paths: str) -> str:
    """Return a short word for what files hold: a certificate that was renewed under its old path has another."""
    found = hashlib.sha256()
    for path in paths:
        try:
            found.update(Path(path).read_bytes())
        except OSError:
            found.update(b"none")
    return found.hexdigest()[:16]


def trusting(certificate: str) -> ssl.SSLContext:
    """Return the context of a client that believes a server with just this certificate, under any name."""
    text = Path(certificate).read_text(encoding="ascii", errors="replace")
    made = ssl.create_default_context(cadata=text.partition(END)[0] + END + "\n")
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.check_hostname = False  # the very certificate is known: what it is called says nothing more
    return made


def suffix(port: int) -> str:
    """Return a port as it stands behind a host in an https address."""
    return "" if port == HTTPS else f":{port}"
