"""Whether nginx can use the certificate and the key that it is given; asked before anything is started."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from fleet.errors import UsageError
from fleet.state import UNSAFE

if TYPE_CHECKING:
    from fleet.state import Settings

HINT = "for example TLS_PORT=8443 TLS_CERTIFICATE=fullchain.pem TLS_KEY=privkey.pem"


def refuse_unusable(settings: Settings) -> None:
    """Raise UsageError with a sentence that names the value or the file which does not fit."""
    if not settings.tls_port:
        return
    if not (settings.tls_certificate and settings.tls_key):
        raise UsageError(f"TLS_PORT={settings.tls_port} needs a certificate and its key: {HINT}.")
    if settings.tls_port == settings.port:
        raise UsageError(f"TLS_PORT={settings.tls_port} is PORT too: take another one, {HINT}.")
    for name, path in (("TLS_CERTIFICATE", settings.tls_certificate), ("TLS_KEY", settings.tls_key)):
        _refuse_unsafe(name, path)
        _refuse_unreadable(name, path)
    _refuse_mismatch(settings.tls_certificate, settings.tls_key)


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
