"""`make chaos` on a real fleet."""

import psutil
import pytest

from fleet import chaos
from fleet.errors import FleetError
from fleet.options import CHAOS, read

pytestmark = pytest.mark.cluster


def test_every_connection_of_redis_is_killed_and_the_fleet_comes_back(own_fleet):
    """Readers and writers alike; the replicas connect anew by themselves."""
    done = own_fleet.make("chaos", WHAT="redis-kill")
    count = int(done.stdout.split("killed")[0].split()[-1])
    assert count >= 3
    done = own_fleet.make("up")
    assert all(own_fleet.is_ready(name) for name in own_fleet.names)


def test_nginx_reloads(own_fleet):
    """The master stays, the workers are new ones."""
    master = psutil.Process(own_fleet.pid("nginx"))
    before = {worker.pid for worker in master.children()}
    own_fleet.make("chaos", WHAT="reload")
    assert own_fleet.pid("nginx") == master.pid
    assert {worker.pid for worker in master.children()} - before


def test_replicas_restart_one_by_one(own_fleet):
    """As `make restart` does it."""
    before = {name: own_fleet.pid(name) for name in own_fleet.names}
    own_fleet.make("chaos", WHAT="restart")
    assert all(own_fleet.pid(name) not in (None, pid) for name, pid in before.items())


@pytest.mark.parametrize("what", [None, "fire"])
def test_what_can_not_be_done_is_told(unstarted, what):
    """The sentence lists what can."""
    done = unstarted.make("chaos", check=False, WHAT=what)
    assert "redis-kill" in done.stderr
    assert done.stderr.count("\n") <= 2


@pytest.mark.parametrize("what", CHAOS)
def test_without_a_fleet_nothing_is_broken(unstarted, what):
    """It is said how to start one."""
    done = unstarted.make("chaos", check=False, WHAT=what)
    assert "Nothing runs." in done.stdout + done.stderr


def test_a_redis_that_is_away_is_told_without_its_address():
    """There may be a password in it."""
    with pytest.raises(FleetError, match="Redis number 1") as told:
        chaos.kill_connections("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(told.value)


def test_what_reaches_the_options():
    """Make's variable and the option mean the same."""
    assert read(["chaos", "--what", "reload"], {}).what == read(["chaos"], {"WHAT": "reload"}).what == "reload"
