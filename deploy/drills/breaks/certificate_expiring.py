"""The certificate that nginx serves runs out in a week; the drill makes it so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.prometheus import CERTIFICATE_PROBE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

LONG_DAYS, SHORT_DAYS = 90, 7
"""Before the break, and after; the alert wants 14."""
CERTIFICATE, KEY = ".run/tls/certificate.pem", ".run/tls/key.pem"
MAKE_KEY = f"openssl ecparam -genkey -name prime256v1 -noout -out {KEY}"
MAKE = f"openssl req -x509 -key {KEY} -subj /CN=localhost -out {CERTIFICATE} -days"


def with_tls(stand: Stand) -> dict[str, str]:
    """Make a key and a certificate for the fleet, and start what Prometheus has look at it."""
    stand.run.make()
    stand.run.ensure_secret_key()  # by which `make up` knows the folder for a fleet's
    (stand.run.root / "tls").mkdir(mode=0o700)
    stand.must(f"{MAKE_KEY} && {MAKE} {LONG_DAYS}")
    stand.probe_certificate()
    tls = {"TLS_CERTIFICATE": CERTIFICATE, "TLS_KEY": KEY}
    return {"TLS_PORT": str(stand.tls_port), **{name: str(stand.folder / path) for name, path in tls.items()}}


@contextlib.contextmanager
def expiring(stand: Stand) -> Iterator[None]:
    """Put one in its place that is nearly over, and have nginx read it."""
    stand.must(f'{MAKE} {SHORT_DAYS} && kill -HUP "$(cat .run/pids/nginx.pid)"')
    yield


DRILL = Drill(
    name="certificate-expiring",
    alert="CertificateExpiring",
    text=f"the certificate runs out in {SHORT_DAYS} days",
    breaks=expiring,
    step="Self-signed",
    programs=(CERTIFICATE_PROBE, "openssl"),
    prepare=with_tls,
    faster=120,
)
