"""How many open files this account may have, and how many clients they carry."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from fleet.errors import FleetError

FEWEST = 256  # nginx, one replica and Redis run, with some thirty clients: below it is no use to start
RESERVE = 64  # logs, listeners, Redis and database connections of one process
MOST_WORKER_CONNECTIONS = 65_536  # nginx reserves about 420 bytes for each, used or not
DESCRIPTORS_A_PROXIED_CLIENT = 2


@dataclass(frozen=True)
class Limits:
    """Descriptors of one process, as nginx and the banner need them."""

    descriptors: int

    @property
    def worker_connections(self) -> int:
        """Connections of one nginx worker, clients and replicas together."""
        return min(self.descriptors, MOST_WORKER_CONNECTIONS)

    def clients(self, replicas: int, workers: int) -> int:
        """Return how many clients fit through all workers and into all replicas at once."""
        through = workers * (self.worker_connections - RESERVE) // DESCRIPTORS_A_PROXIED_CLIENT
        return min(through, replicas * (self.descriptors - RESERVE))


def raise_limit() -> Limits:
    """Raise this process's limit, which its children inherit, as far as allowed. Raise FleetError below the least."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if limit < FEWEST:
        raise FleetError(
            f"This account may open {limit} files for each process, too few to serve anybody: allow at least "
            f"{FEWEST} (`ulimit -Hn`, /etc/security/limits.conf), better 65536."
        )
    return Limits(limit)


def workers() -> int:
    """Return how many workers `worker_processes auto` makes."""
    return os.cpu_count() or 1
