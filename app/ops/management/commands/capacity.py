"""`manage.py capacity`: how many replicas a load takes, and what is used up first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ops.capacity import FILES, SLOT_LIMIT, Bounds, Load, Plan, costs_of, plan

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from ops.capacity import Costs

RESULTS = Path("bench/bench.json")
"""Where `make bench` leaves its figures, in the run folder."""
MOST = {"clients": 10_000_000, "rooms": 10_000_000, "size": 10_000_000, "payload": 1024 * 1024, "history": 1_000_000}

LEAST_FILES = 256
"""Of a process: the fewest with which a replica is worth its memory."""


class Command(BaseCommand):
    """Prints the plan, and by which costs it was made."""

    help = "Say what a load takes: replicas, cores, memory, Redis, network, descriptors; and what is used up first."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type; a plan needs none of them

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe what it takes."""
        parser.add_argument("--clients", type=int, required=True, help="connected at once")
        parser.add_argument("--rooms", type=int, default=1, help="groups")
        parser.add_argument("--size", type=int, help="members of each room (default: clients / rooms)")
        parser.add_argument("--rate", type=float, default=1.0, help="publications a second in each room")
        parser.add_argument("--payload", type=int, default=100, help="bytes of a publication")
        parser.add_argument("--history", type=int, default=100, help="publications that a room keeps; 0: ephemeral")
        parser.add_argument("--line", type=float, default=1000.0, help="Mbit/s of the network")
        parser.add_argument("--files", type=int, default=FILES, help="that a process may open: `ulimit -Hn`")
        parser.add_argument("--workers", type=int, default=Bounds.workers, help="of nginx: a pod's 2, or one a core")
        parser.add_argument("--redis-memory", type=float, default=Bounds.redis, help="MiB: maxmemory of Redis")
        parser.add_argument("--bench", type=Path, help="bench.json of `make bench` (default: the run folder's)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Plan and print."""
        load = _load(options)
        costs = costs_of(options["bench"] or _results())
        if options["bench"] and not options["bench"].is_file():
            raise CommandError(f"--bench {options['bench']} is no file: `make bench` makes one in .run/bench/.")
        there = Bounds(
            line=options["line"], files=options["files"], workers=options["workers"], redis=options["redis_memory"]
        )
        self.stdout.write(told(load, plan(load, costs, there), costs, there))


def _results() -> Path:
    return Path(settings.STATIC_ROOT).parent / RESULTS


def _load(options: dict[str, Any]) -> Load:
    """Return the load, or say which number can't be meant."""
    size = (
        options["size"] if options["size"] is not None else max(1, round(options["clients"] / max(1, options["rooms"])))
    )
    numbers = {"clients": options["clients"], "rooms": options["rooms"], "size": size, "payload": options["payload"]}
    for name, number in {**numbers, "history": options["history"]}.items():
        least = 0 if name == "history" else 1
        if not least <= number <= MOST[name]:
            raise CommandError(f"--{name} {number} is not a number from {least} to {MOST[name]:,}.")
    if options["files"] < LEAST_FILES:
        raise CommandError(f"--files {options['files']} is too few for any replica: at least {LEAST_FILES:,}.")
    if size > options["clients"]:
        raise CommandError(f"--size {size} is more than --clients {options['clients']}: a room holds each client once.")
    for name in ("rate", "line", "workers", "redis-memory"):
        if not 0 < (number := options[name.replace("-", "_")]) < float("inf"):
            raise CommandError(f"--{name} {number:g} is not a number above 0.")
    return Load(**numbers, rate=options["rate"], history=options["history"])


def told(load: Load, made: Plan, costs: Costs, there: Bounds) -> str:
    """Return the plan as text."""
    replicas = (
        f"{made.replicas}, +1 to spare" if made.replicas else f"no number of them up to {SLOT_LIMIT} carries this"
    )
    servers = "1 server" if made.redis_servers == 1 else f"{made.redis_servers} servers"
    rows = {
        "load": f"{load.clients:,} clients in {load.rooms:,} rooms of {load.size:,}; {load.publications:,.0f}"
        f" publications a second, {load.deliveries:,.0f} deliveries in {load.writes:,.0f} writes",
        "replicas": f"{replicas}; together {made.replica_cores:.2f} cores, each {made.replica_memory:,.0f} MiB and"
        f" {made.replica_files:,} open files",
        "nginx": f"{made.edge_cores:.2f} cores, {made.edge_files:,} open files of all workers;"
        f" {there.workers} of them have room for {there.through_nginx:,} clients",
        "Redis": f"{servers}; {made.redis_cores:.2f} cores, {made.redis_memory:,.0f} MiB of streams, of"
        f" {there.redis:,.0f} (maxmemory)",
        "network": f"{made.network:,.0f} Mbit/s to the clients",
        "first used up": f"{made.first.name}, at {made.first.headroom:.1f} times this load: {made.first.way_out}",
        "costs": costs.source,
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items())
