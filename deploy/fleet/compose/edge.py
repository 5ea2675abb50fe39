"""nginx' values in a container. `python -m fleet.compose.edge` prints the configuration that the image brings."""

from __future__ import annotations

import sys
from pathlib import Path

from fleet import nginx
from fleet.state import DEFAULT_SLOTS

PORT = 8080
"""Inside; the one outside is what compose.yaml publishes."""
TLS_PORT = 8443
SOCKETS = Path("/run/fanout")
ROOT = Path("/opt/fanout")
PREFIX = Path("/run/nginx")
CONNECTIONS = 65536
"""Of one worker, as many as compose.yaml allows open files (NOFILE); fewer of those are no error."""


def values(
    slots: int = DEFAULT_SLOTS, trusted_proxies: tuple[str, ...] = (), tls: nginx.Tls | None = None
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
    )


if __name__ == "__main__":
    sys.stdout.write(nginx.render(values()))
