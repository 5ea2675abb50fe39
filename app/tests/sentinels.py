"""A master with a replica: under a Sentinel, or behind one address that a test moves."""

import contextlib
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from fleet import redis_accounts
from tests.ports import a_free_port
from tests.redis_servers import STOP_SECONDS, RedisServer, eventually, program

FAILOVER_SECONDS = 40
"""For a Sentinel that promotes on a busy machine; usually it takes 3 s."""
GIVEN_UP_SECONDS = 15
"""After which Sentinel has ended a failover one way or the other: it gives up what does not move for 5 s, as on a busy
machine, and by itself begins none with a master that is well."""
FAILOVER_ATTEMPTS = 3
DOWN_AFTER_MS = 1500
"""Silence after which Sentinel takes a master for dead: short, yet longer than a busy machine is silent by itself."""
SENTINEL_MS = {"tilt-period": 1000, "info-period": 1000, "publish-period": 500}
"""What Sentinel does more often than by itself: it looks after 1 s whether an old master is back, not after 10, and
goes on after 1 s, not after 30, when it was not scheduled for 2 s."""
MASTER_NAME = "fleet"


class Sentinel:
    """One redis-sentinel that watches a master, and promotes its replica when it is silent."""

    def __init__(self, folder: Path, master: RedisServer, down_after_ms: int) -> None:
        self.port = a_free_port()
        self._config = folder / "sentinel.conf"
        self._config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/sentinel.log\n"
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {MASTER_NAME} {down_after_ms}\n"
            f"sentinel failover-timeout {MASTER_NAME} 5000\n"
        )
        self._process: subprocess.Popen | None = None
        self.cli = Redis(port=self.port, socket_timeout=STOP_SECONDS, decode_responses=True)

    def start(self) -> None:
        """Return when it knows the master and its replica well enough to promote."""
        command = [*program("redis-sentinel", "redis-sentinel"), str(self._config)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        eventually(self.is_ready, "Sentinel knows a master with a replica")
        for name, value in SENTINEL_MS.items():
            self.cli.execute_command("SENTINEL", "DEBUG", name, value)

    def is_ready(self) -> bool:
        """Whether a master is well and a replica could take its place."""
        try:
            master = self.cli.execute_command("SENTINEL", "MASTER", MASTER_NAME)
            replicas = self.cli.execute_command("SENTINEL", "REPLICAS", MASTER_NAME)
        except RedisError:
            return False
        linked = [replica for replica in replicas if replica.get("master-link-status") == "ok"]
        return bool(linked) and _flags(master) == {"master"} and all(_flags(each) == {"slave"} for each in linked)

    @property
    def master_port(self) -> int:
        """Where Sentinel sends who asks for the master."""
        return int(self.cli.sentinel_get_master_addr_by_name(MASTER_NAME)[1])

    def stop(self) -> None:
        """SIGKILL: it has nothing to lose."""
        self.cli.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def _flags(instance) -> set[str]:
    flags = instance["flags"]
    return set(flags.split(",") if isinstance(flags, str) else flags)


class Replicated:
    """A master with a replica under a Sentinel; `host` is for `hosts` of a channel layer."""

    def __init__(self, folder: Path, down_after_ms: int = DOWN_AFTER_MS) -> None:
        self.first, self.second = (self._server(folder / name) for name in ("first", "second"))
        self.sentinel = Sentinel(folder, self.first, down_after_ms)

    @staticmethod
    def _server(folder: Path) -> RedisServer:
        folder.mkdir()
        # Without the pause of 5 s before a replica gets its first copy.
        return RedisServer(folder, "--repl-diskless-sync-delay", "0", port=a_free_port())

    @property
    def host(self):
        """What `hosts` of a channel layer holds."""
        sentinels = [["127.0.0.1", self.sentinel.port]]
        return {
            "sentinels": sentinels,
            "master_name": MASTER_NAME,
            "username": redis_accounts.APPLICATION,
            "password": "any",
        }

    @property
    def cli(self) -> Redis:
        """To the first master, as long as nothing was promoted."""
        return self.first.cli

    def start(self) -> None:
        """Return when Sentinel could promote."""
        self.first.start()
        self.second.start()
        self.second.cli.replicaof("127.0.0.1", self.first.port)
        eventually(lambda: self.second.replicates(self.first), "the replica is in sync")
        self.sentinel.start()

    def stop(self) -> None:
        """End all three."""
        for each in (self.sentinel, self.first, self.second):
            each.stop()

    def cut_replication(self) -> None:
        """From now on the second has nothing new from the first, and Sentinel has not noticed yet."""
        eventually(lambda: self.second.replicates(self.first), "the replica is in sync")
        self.second.cli.replicaof("127.0.0.1", 1)

    def fail_over(self) -> None:
        """Let Sentinel promote the replica although the master is well; return when it names another."""
        before = self.sentinel.master_port
        for _ in range(FAILOVER_ATTEMPTS):
            eventually(self.sentinel.is_ready, "Sentinel knows a replica", FAILOVER_SECONDS)
            self.sentinel.cli.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
            with contextlib.suppress(AssertionError):
                eventually(lambda: self.sentinel.master_port != before, "Sentinel names another", GIVEN_UP_SECONDS)
                return
        pytest.fail(f"Sentinel has given up {FAILOVER_ATTEMPTS} failovers")

    def promoted(self, server: RedisServer) -> None:
        """Wait until Sentinel names a server as master, and it is."""
        eventually(lambda: self.sentinel.master_port == server.port, "Sentinel names another", FAILOVER_SECONDS)
        eventually(lambda: server.role == "master", "it is promoted", FAILOVER_SECONDS)


class Pair:
    """A master with a replica behind one address, which a test moves from the one to the other."""

    def __init__(self, folder: Path) -> None:
        self.master, self.replica = (Replicated._server(folder / name) for name in ("first", "second"))
        self._path = folder / "current.sock"
        self.url = f"unix://{redis_accounts.APPLICATION}@{self._path}"
        self.apart = False

    @property
    def cli(self) -> Redis:
        """To the master."""
        return self.master.cli

    def start(self) -> None:
        """Return when both have the same."""
        self.master.start()
        self.replica.start()
        self._point()
        self.link()

    def stop(self) -> None:
        """End both."""
        for each in (self.master, self.replica):
            each.stop()

    def link(self) -> None:
        """From now on the replica follows the master; return when it has all."""
        self.replica.cli.replicaof("127.0.0.1", self.master.port)
        self.apart = False
        self.in_sync()

    def cut(self) -> None:
        """From now on the replica gets nothing new."""
        self.in_sync()
        self.replica.cli.replicaof("127.0.0.1", 1)
        self.apart = True

    def save(self) -> None:
        """What the master has now survives its end."""
        if not self.apart:
            self.in_sync()  # Redis saves one thing at a time
        self.cli.save()

    def restart(self) -> None:
        """Kill the master; it comes back with what was saved."""
        if self.apart:
            self.link()
        self.master.kill()
        self.master.start()

    def hand_over(self) -> None:
        """Kill the master and promote the replica, with or without the newest writes; the other follows it then."""
        if not self.apart:
            self.in_sync()
        self.master.kill()
        self.replica.cli.replicaof("NO", "ONE")
        self.master, self.replica = self.replica, self.master
        self._point()
        self.replica.start()
        self.link()

    def in_sync(self) -> None:
        """Return when the replica has all."""
        eventually(lambda: self.replica.replicates(self.master), "the replica is in sync")

    def _point(self) -> None:
        """Let the address lead to the master."""
        new = self._path.with_suffix(".new")
        new.symlink_to(self.master.path)
        new.replace(self._path)
