"""What a load takes: replicas, cores, memory, Redis, network, descriptors, and what is used up first. Pure.

The costs are measured (`make bench`); how they add up is this module's model: a publication costs its publisher's
replica once, each replica that has members of the room once more, and each socket a write. Publications that come
within a flush interval of each other leave in one write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from fanout.history import History

if TYPE_CHECKING:
    from pathlib import Path

MICRO = 1e-6
KIB, MIB = 1024, 1024 * 1024
FLUSH = 0.02
"""Seconds of a policy's flush interval, as kinds have it by default."""
BUSY = 0.6
"""Of a core that is planned for: the rest is for bursts, and for those who come back when a replica dies."""
REDIS_BUSY = 0.7
"""Of Redis' one core: behind it latency grows fast."""
LINE_BUSY = 0.7
SLOT_LIMIT = 128
"""Slots that nginx keeps for replicas at most."""
REPLICA_BASE = 100 * MIB
"""A replica without clients."""
ENTRY_BYTES = 100
"""What Redis takes for a publication beside its data."""
FRAME_BYTES, PACKET_BYTES = 4, 66
"""Heads of a frame, and of the packet that a write is: Ethernet, IP, TCP."""
FILES_RESERVE = 64
"""Logs, listeners, Redis and database connections of one process."""
FILES = 65_536
"""That one process may open, as compose.yaml has it; a bare host often allows fewer (`ulimit -Hn`)."""
FILES_FULL = 0.8
"""Of these that are planned for: above, FanoutDescriptorsLow fires; of nginx' connections too."""
MOST_CONNECTIONS = 65_536
"""Of a worker of nginx: `worker_connections` is what it may open, at most this (deploy/fleet/descriptors.py)."""
CLIENT_CONNECTIONS = 2
"""A proxied client takes: its own, and that to its replica."""
HISTORY = History()
"""What a group keeps by default."""
REDIS_FULL = 0.8
"""Of maxmemory that is planned for: above, RedisMemoryNearLimit fires."""


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    clients: int
    rooms: int
    size: int
    """Members of each room; a client may be in several."""
    rate: float
    """Publications a second in each room."""
    payload: int = 100
    """Bytes of a publication."""
    history: int = 100
    """Publications that each room keeps; 0: ephemeral."""

    @property
    def publications(self) -> float:
        """A second, of all rooms."""
        return self.rooms * self.rate

    @property
    def kept(self) -> float:
        """MiB in Redis, as kinds keep by default: `history` publications of each room, up to its bytes."""
        each = min(self.history, max(1, HISTORY.bytes // self.payload))
        return self.rooms * each * (self.payload + ENTRY_BYTES) / MIB

    @property
    def deliveries(self) -> float:
        """A second, of all rooms to all of their members."""
        return self.publications * self.size

    @property
    def writes(self) -> float:
        """A second: what comes within a flush interval leaves together."""
        return self.rooms * self.size * min(self.rate, 1 / FLUSH)


@dataclass(frozen=True)
class Costs:
    """Measured costs. The defaults are shipped: of 2 cores of an AMD EPYC, 2026-11-26, by the command in `source`."""

    write: float = 2.8
    """µs of a replica for a write to one socket, the delivery alone."""
    publish: float = 286.0
    """µs of the replica whose client publishes, for one publication with one receiver."""
    receive: float = 110.0
    """µs of each other replica that has members, for one publication with one receiver there."""
    handshake: float = 154.0
    """µs of a replica, with join."""
    memory: float = 5.6
    """KiB of a replica for a client that is connected and joined."""
    redis: float = 131.0
    """µs of Redis for a publication to a durable group, heard by one replica; an ephemeral one costs a third."""
    redis_replica: float = 8.0
    """µs of Redis for each further replica that hears it."""
    edge: float = 12.0
    """µs of nginx for a write that it passes on."""
    source: str = "shipped figures, not of this machine: `make bench` measures it"


ROWS = {
    "publish": ("replica CPU per publication, one receiver: durable", 1.0),
    "receive": ("replica CPU per publication of another replica, one receiver: durable", 1.0),
    "handshake": ("CPU per handshake with join: fanout.v1", 1.0),
    "memory": ("memory per idle, joined connection: fanout.v1", 1.0),
    "redis": ("Redis CPU per publication, one replica: durable", 1.0),
}
"""Cost → the row of `make bench` that measures it."""
SMALL, LARGE = "CPU per delivery, 100 sockets", "CPU per delivery, 1,000 sockets"
"""Two sizes of one group, from which follows what a write alone costs."""


@dataclass(frozen=True)
class Bounds:
    """What there is. The defaults are shipped."""

    line: float = 1000.0
    """Mbit/s of the network."""
    memory: float = 400.0
    """MiB of a replica: above, FanoutMemoryHigh fires."""
    files: int = FILES
    """That each process may open."""
    workers: int = 2
    """Of nginx: a pod's; elsewhere one a core (`worker_processes`)."""
    redis: float = 256.0
    """MiB of Redis: `maxmemory` of deploy/redis.conf, compose.yaml and k8s/."""

    @property
    def through_nginx(self) -> int:
        """Clients that it has connections for."""
        each = min(self.files, MOST_CONNECTIONS) - FILES_RESERVE
        return self.workers * each // CLIENT_CONNECTIONS


SHIPPED = Bounds()


@dataclass(frozen=True)
class Need:
    """One resource: what is used of it, and what there is."""

    name: str
    used: float
    limit: float
    unit: str
    way_out: str

    @property
    def headroom(self) -> float:
        """How many times the load fits."""
        return self.limit / self.used if self.used else float("inf")


@dataclass(frozen=True)
class Plan:
    """What a load takes."""

    replicas: int
    """0: no number of replicas carries it."""
    replica_cores: float
    edge_cores: float
    redis_cores: float
    redis_servers: int
    replica_memory: float
    """MiB of each."""
    redis_memory: float
    """MiB of all."""
    network: float
    """Mbit/s to the clients."""
    replica_files: int
    edge_files: int
    needs: tuple[Need, ...]

    @property
    def first(self) -> Need:
        """What is used up first when the load grows."""
        return min(self.needs, key=lambda need: need.headroom)


FEWER = "fewer publications, or rooms on fleets apart"
MORE_MACHINES = "more machines (Kubernetes)"
MORE_WORKERS = "more cores for it and as many workers, or more machines (Kubernetes: each pod has an nginx)"
FASTER_LINE = "a faster line, or more machines"


def replica_seconds(load: Load, costs: Costs, replicas: int) -> float:
    """Return CPU seconds a second of all replicas together."""
    listening = min(replicas, load.size)
    # The publisher's own replica is among those that hear it, and `publish` holds that.
    publications = load.publications * (costs.publish + costs.receive * max(listening - 1, 0))
    return (load.writes * costs.write + publications) * MICRO


def replicas_for(load: Load, costs: Costs, memory_limit: float, files: int = FILES) -> int:
    """Return the fewest replicas that carry the load; 0 when no number does. `memory_limit` is MiB of one."""
    for replicas in range(1, SLOT_LIMIT + 1):
        is_idle_enough = replica_seconds(load, costs, replicas) / replicas <= BUSY
        has_room = _replica_memory(load, costs, replicas) <= memory_limit
        if is_idle_enough and has_room and _replica_files(load, replicas) <= FILES_FULL * files:
            return replicas
    return 0


def _replica_files(load: Load, replicas: int) -> int:
    return ceil(load.clients / replicas) + FILES_RESERVE


def _replica_memory(load: Load, costs: Costs, replicas: int) -> float:
    return (REPLICA_BASE + load.clients / replicas * costs.memory * KIB) / MIB


def _redis_seconds(load: Load, costs: Costs, replicas: int) -> float:
    durable = 1.0 if load.history else 1 / 3
    further = min(replicas, load.size) - 1
    return load.publications * (costs.redis * durable + costs.redis_replica * further) * MICRO


def _network(load: Load) -> float:
    sent = load.deliveries * (load.payload + FRAME_BYTES) + load.writes * PACKET_BYTES
    return sent * 8 / 1e6


def plan(load: Load, costs: Costs, there: Bounds = SHIPPED) -> Plan:
    """Return what a load takes of what is there."""
    found = replicas_for(load, costs, there.memory, there.files)
    replicas = found or SLOT_LIMIT
    redis = _redis_seconds(load, costs, replicas)
    cores = replica_seconds(load, costs, replicas)
    edge = load.writes * costs.edge * MICRO
    network = _network(load)
    hears = load.publications * min(1.0, load.size / replicas) * costs.receive * MICRO
    return Plan(
        replicas=found,
        replica_cores=cores,
        edge_cores=edge,
        redis_cores=redis,
        redis_servers=max(1, ceil(redis / REDIS_BUSY)),
        replica_memory=_replica_memory(load, costs, replicas),
        redis_memory=load.kept,
        network=network,
        replica_files=_replica_files(load, replicas),
        edge_files=CLIENT_CONNECTIONS * load.clients + FILES_RESERVE,
        needs=(
            Need("Redis, one core", redis, REDIS_BUSY, "cores", "more servers in FANOUT_REDIS_URLS"),
            Need("Redis' memory", load.kept, REDIS_FULL * there.redis, "MiB", "more maxmemory, or a shorter history"),
            Need("a replica's core, for hearing alone", hears, BUSY, "cores", FEWER),
            Need("replicas' cores", cores, BUSY * SLOT_LIMIT, "cores", MORE_MACHINES),
            Need("nginx' cores", edge, BUSY * there.workers, "cores", MORE_WORKERS),
            Need("nginx' connections", load.clients, FILES_FULL * there.through_nginx, "clients", MORE_WORKERS),
            Need("the network to the clients", network, LINE_BUSY * there.line, "Mbit/s", FASTER_LINE),
        ),
    )


def costs_of(results: Path) -> Costs:
    """Return the costs that the last `make bench` has measured; the shipped ones for what it has not."""
    try:
        told: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
        values = {row["name"]: row["ours"]["value"] for row in told["rows"]}
        began = told["began"]
    except (OSError, ValueError, KeyError, TypeError):
        return Costs()
    measured = {cost: values[row] * factor for cost, (row, factor) in ROWS.items() if values.get(row)}
    if values.get(SMALL) and values.get(LARGE):
        measured["write"] = (values[LARGE] * 1000 - values[SMALL] * 100) / 900
    if not measured:
        return Costs()
    missing = [each.name for each in fields(Costs) if each.name not in (*measured, "source")]
    source = f"`make bench` of {began}" + (f"; shipped: {', '.join(missing)}" if missing else "")
    return replace(Costs(), **measured, source=source)
