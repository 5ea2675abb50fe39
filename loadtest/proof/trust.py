"""Whom a TLS client believes: the authorities of this machine, or the one certificate of a file."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

END = "-----END CERTIFICATE-----"


@lru_cache
def context(file: str) -> ssl.SSLContext:
    """Return the context of a client, one for all connections. Raise OSError for a file that is none in PEM format.

    A file with an authority's certificate makes it the one that is believed; one with the server's own makes that very
    certificate believed, under any name. Without a file it is the machine's authorities (SSL_CERT_FILE names others).
    """
    if not file:
        return ssl.create_default_context()
    text = Path(file).read_text(encoding="ascii", errors="replace")
    made = ssl.create_default_context(cadata=text.partition(END)[0] + END + "\n")
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.check_hostname = bool(made.get_ca_certs())
    return made
