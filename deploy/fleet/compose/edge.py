"""nginx' values in a container. `python -m fleet.compose.edge` prints the configuration that the image brings."""

from __future__ import annotations

import sys
from pathlib import Path

from fleet import nginx
from fleet.limits import ClientLimits
from fleet.state import DEFAULT_SLOTS

PORT = 8080
"""Inside; the one outside is what compose.yaml publishes."""
TLS_PORT = 8443
INSIDE_PORT = 8081
"""Never published: Prometheus comes over the network of the containers."""
SOCKETS = Path("/run/fanout")
ROOT = Path("/opt/fanout")
PREFIX = Path("/run/nginx")
CONNECTIONS = 65536
"""Of one worker, as many as compose.yaml allows open files (NOFILE); fewer of those are no error."""

DEFAULT_LIMITS = ClientLimits()
"""Of the image: only this machine and the containers have private addresses, as long as nobody else is let in."""


def values(
    slots: int = DEFAULT_SLOTS,
    trusted_proxies: tuple[str, ...] = (),
    tls: nginx.Tls | None = None,
    limits: ClientLimits | None = DEFAULT_LIMITS,
) -> nginx.Edge:
    """Return the run-time values of nginx in its container."""
    return nginx.Edge(
        port=PORT,
        bind=("0.0.0.0",),
        sockets=SOCKETS,
        static=ROOT / "static",
        errors=ROOT / "nginx" / "errors",
        prefix=PREFIX,
        pid=PREFIX / "temporary" / "nginx.pid",  # the one folder that can be written to
        descriptors=0,
        connections=CONNECTIONS,
        slots=slots,
        trusted_proxies=trusted_proxies,
        tls=tls,
        limits=limits,
        inside_port=INSIDE_PORT,
    )


if __name__ == "__main__":
    sys.stdout.write(nginx.render(values()))
