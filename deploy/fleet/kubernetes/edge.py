"""nginx' values in a pod. `python -m fleet.kubernetes.edge` prints the configuration that the image brings for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import nginx
from fleet.compose import edge

if TYPE_CHECKING:
    from fleet.nginx import Edge

REPLICAS = 2
"""Of a pod, in k8s/60-web.yaml; a third one there needs a slot here."""
WORKERS = "2"
"""As many as there are replicas to keep busy: left to itself nginx makes one for each core of the node."""
TRUSTED = Path("/etc/nginx/trusted")
"""Where k8s/60-web.yaml mounts k8s/24-trusted-proxies.yaml."""


def values() -> Edge:
    """Return the run-time values of nginx in its pod."""
    return replace(edge.values(slots=REPLICAS), workers=WORKERS, trusted_files=TRUSTED)


if __name__ == "__main__":
    sys.stdout.write(nginx.render(values()))
