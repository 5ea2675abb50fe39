import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fleet import readiness
from fleet.options import REPOSITORY
from fleet.state import Run
from tests.busy import slowed
from tests.cluster.clients import Visitor, await_that, hears_itself

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

BACK_SECONDS = 3.0
START_SECONDS = 60.0
SEEN_SECONDS = 10.0
"""Nginx looks at an empty slot again after a second or two."""


@pytest.fixture
def three(own_fleet):
    """Three ready replicas on the first port, whatever the test before did."""
    own_fleet.make("up", REPLICAS=3, PORT=own_fleet.port)
    return own_fleet


def is_alive(process):
    """Whether it runs: the process itself, not another one that has its number by now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def processes(fleet):
    """Everything that has a pid file, by its name."""
    return {name: psutil.Process(pid) for name, pid in fleet.pids.items()}


def listens(port):
    """Whether anybody answers on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def one_client_on_each(fleet, stack, names):
    """Return a connected client for each replica, by its name."""
    clients, deadline = {}, time.monotonic() + SEEN_SECONDS
    while time.monotonic() < deadline:
        client = stack.enter_context(connect(fleet.ws_url + "/ws/chat/native/", proxy=None))
        if clients.setdefault(client.response.headers["X-Replica"], client) is not client:
            client.close()
        if set(clients) == set(names):
            return clients
    raise AssertionError(f"only {set(clients)} of {set(names)} answered")


def test_up_says_where_and_what_next(three):
    """The address, a row for each replica, the clients it carries, the next commands."""
    shown = three.make("up").stdout
    assert f"http://localhost:{three.port}/" in shown
    assert all(f"\n{name} " in shown for name in ("web-1", "web-2", "web-3", "worker", "nginx", "redis"))
    assert "clients at once" in shown
    assert "make scale" in shown


def test_every_process_has_its_real_id_in_a_file(three):
    """And sockets/ holds replicas, nothing else."""
    assert set(three.pids) == {"web-1", "web-2", "web-3", "worker", "nginx", "redis", "supervisor"}
    assert all(map(is_alive, processes(three).values()))
    assert three.names == ["web-1", "web-2", "web-3"]
    assert len(list((three.run_dir / "sockets").iterdir())) == 3
    assert "server" in psutil.Process(three.pid("web-2")).cmdline()
    assert " ".join(psutil.Process(three.pid("nginx")).cmdline()).startswith("nginx: master")


def test_nothing_that_is_written_is_for_others(three):
    """Sessions, messages, logs and keys are their owner's; nginx, natively the same account, reaches what it serves."""
    three.run_dir.chmod(0o755)  # as one that was made by hand
    with connect(three.ws_url + "/ws/chat/private/", proxy=None) as client:
        assert hears_itself(client, "for its owner")
    found = [path for path in three.run_dir.iterdir() if path.stat().st_mode & 0o007]
    three.run_dir.chmod(0o700)
    assert {path.name for path in found} <= {"static"}
    assert {"db.sqlite3", "logs", "redis", "sockets"} <= {path.name for path in three.run_dir.iterdir()}


def test_redis_listens_on_its_socket_alone(three):
    """No port that anybody else could reach."""
    redis = psutil.Process(three.pid("redis"))
    assert not [link for link in redis.net_connections(kind="inet") if link.status == psutil.CONN_LISTEN]


def listeners(fleet):
    """Return the addresses on which nginx listens, and the ports."""
    nginx = psutil.Process(fleet.pid("nginx"))
    listens = [link.laddr for link in nginx.net_connections(kind="inet") if link.status == psutil.CONN_LISTEN]
    return {address.ip for address in listens}, {address.port for address in listens}


def test_nginx_listens_on_loopback_alone(three):
    """Unless BIND says otherwise."""
    addresses, ports = listeners(three)
    assert addresses <= {"127.0.0.1", "::1"}
    assert ports == {three.port}


def test_bind_takes_effect_and_can_be_emptied_again(three):
    """Nginx opens up to other machines and closes again, both without cutting anybody."""
    before, default = three.pids, listeners(three)
    with connect(three.ws_url + "/ws/chat/native/", proxy=None) as client:
        three.make("up", BIND="0.0.0.0")
        assert listeners(three) == ({"0.0.0.0"}, {three.port})
        assert "BIND is empty: nginx listens on this machine's loopback" in three.make("up", BIND="").stdout
        assert listeners(three) == default
        assert three.settings()["bind"] is None
        assert hears_itself(client, "still here")
    assert three.pids == before


def test_up_twice_changes_nothing(three):
    """Every process lives on, and sockets stay open."""
    before = three.pids
    with contextlib.ExitStack() as stack:
        clients = one_client_on_each(three, stack, three.names)
        three.make("up")
        three.make("up", REPLICAS=3, PORT=three.port)
        assert three.pids == before
        assert all(hears_itself(client, name) for name, client in clients.items())


def test_a_changed_port_is_applied_without_cutting_anybody(three):
    """Nginx moves, the sockets of the old port stay."""
    from_port, before = three.port, three.pids
    with connect(three.ws_url + "/ws/chat/native/", proxy=None) as client:
        to_port = three.another_port()
        assert f":{to_port}/" in three.make("up", PORT=to_port).stdout
        await_that(lambda: not listens(from_port), 10, "the old workers have let go of the old port")
        assert hears_itself(client, "still here")
        three.make("up", PORT=from_port)
        assert three.pids == before


def test_status_is_a_table_and_an_exit_code(three):
    """0 and "yes" everywhere when all is well."""
    lines = three.make("status").stdout.splitlines()
    assert lines[0].split() == ["replica", "pid", "uptime", "connections", "memory", "ready"]
    assert [line.split()[0] for line in lines[1:]] == ["web-1", "web-2", "web-3", "worker", "nginx", "redis"]
    assert all(line.endswith("yes") for line in lines[1:])
    assert int(lines[1].split()[1]) == three.pid("web-1")


def test_status_tells_what_is_down(three):
    """1 when a replica is gone, and which."""
    stopped = psutil.Process(three.pid("web-2"))
    stopped.suspend()  # it holds its socket and answers nothing
    try:
        done = three.make("status", check=False)
    finally:
        stopped.resume()
    assert done.returncode != 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("web-2"))
    assert row.endswith("silent")


def works(fleet, killed):
    """Whether there is a worker again, and it is ready."""
    told = readiness.state(Run(fleet.run_dir), "worker") or {}
    return fleet.pid("worker") not in (None, killed) and told.get("status") == "ready"


def test_what_is_said_reaches_the_database(three):
    """The worker archives it within 5 s; when it is killed, the supervisor starts another, which goes on."""
    with contextlib.closing(sqlite3.connect(three.run_dir / "db.sqlite3")) as database:

        def archived(text):
            found = database.execute("SELECT data FROM fanout_archive_archivedpublication").fetchall()
            return any(json.loads(data)["message"] == text for (data,) in found)

        for text in ("before", "behind"):
            with connect(f"{three.ws_url}/ws/chat/lobby/") as client:
                assert hears_itself(client, text)
            assert await_that(lambda text=text: archived(text), START_SECONDS, "it has a row") < 5 * slowed()
            os.kill(killed := three.pid("worker"), signal.SIGKILL)
            await_that(lambda pid=killed: works(three, pid), START_SECONDS, "there is another worker")
    await_that(lambda: three.make("status", check=False).returncode == 0, START_SECONDS, "all is well")


def test_scaling_cuts_no_connection_of_a_replica_that_stays(three):
    """3 → 5 → 2: new replicas are used, removed ones say goodbye, the others notice nothing."""
    before = three.pids
    with contextlib.ExitStack() as stack:
        clients = one_client_on_each(three, stack, three.names)
        three.make("scale", REPLICAS=5)
        assert three.names == ["web-1", "web-2", "web-3", "web-4", "web-5"]
        clients |= one_client_on_each(three, stack, three.names)
        three.make("scale", REPLICAS=2)
        assert three.names == ["web-1", "web-2"]
        assert set(three.pids) == {"web-1", "web-2", "worker", "nginx", "redis", "supervisor"}
        for name in ("web-1", "web-2"):
            assert hears_itself(clients[name], name)
        for name in ("web-3", "web-4", "web-5"):
            with pytest.raises(ConnectionClosed) as caught:
                drain_of(clients[name])
            assert caught.value.rcvd.code == 1012
    assert {name: before[name] for name in three.pids} == three.pids


def drain_of(client):
    """Read until the connection ends."""
    while True:
        client.recv(timeout=10)


def test_scale_tells_when_no_message_comes_through(three):
    """As `make up` does: nginx stands still, so its banner would be a lie."""
    master = psutil.Process(three.pid("nginx"))
    workers = master.children()
    try:
        for worker in workers:
            worker.suspend()
        done = three.make("scale", REPLICAS=2, check=False)
    finally:
        for worker in workers:
            worker.resume()
    assert done.returncode != 0
    assert "No chat message comes through nginx" in done.stderr
    assert "http://localhost" not in done.stdout


def test_scale_wants_a_number(three):
    """Without one, or with more than there are slots, nothing happens."""
    assert "How many replicas" in three.make("scale", check=False).stderr
    assert "SLOTS=17" in three.make("scale", REPLICAS=17, check=False).stderr
    assert three.names == ["web-1", "web-2", "web-3"]


def test_restart_replaces_every_replica_and_loses_no_request(three):
    """One after the other, and the worker behind them; nginx and Redis stay; whoever asks meanwhile is answered."""
    before = three.pids
    with Visitor(three) as visitor:
        three.make("restart")
    assert set(visitor.statuses) == {200}
    assert all(three.pid(name) != before[name] for name in (*three.names, "worker"))
    assert all(three.pid(name) == before[name] for name in ("nginx", "redis", "supervisor"))


def test_restart_refuses_a_busy_port_before_it_touches_anything(three):
    """And nothing of it is remembered."""
    before = three.pids
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = three.make("restart", PORT=port, check=False).stderr
    assert said.startswith(f"Port {port} is in use")
    assert three.pids == before
    assert three.settings()["port"] == three.port


def test_restart_makes_up_for_a_reload_that_did_not_happen(three):
    """The nginx that runs still listens on the old port; the files name the new one, as after a failed reload."""
    port = three.another_port()
    configuration = three.run_dir / "nginx" / "nginx.conf"
    settings = three.run_dir / "fleet.json"
    configuration.write_text(configuration.read_text().replace(f":{three.port} ", f":{port} "))
    settings.write_text(settings.read_text().replace(str(three.port), str(port)))
    (three.run_dir / "nginx" / "reload-due").touch()
    three.make("restart")
    assert listens(port)
    three.make("up", PORT=three.port)


def test_restart_takes_over_changed_variables(three):
    """`up` leaves running replicas as they are and says so."""
    changed = {"FANOUT_TRUSTED_ORIGINS": "https://elsewhere.example"}
    before = three.pids
    assert "FANOUT_TRUSTED_ORIGINS differs" in three.make("up", environ=changed).stdout
    assert three.pids == before
    three.make("restart", environ=changed)
    assert psutil.Process(three.pid("web-1")).environ()["FANOUT_TRUSTED_ORIGINS"] == "https://elsewhere.example"


def is_ready_again(fleet, name, killed):
    """Whether another process of that name serves."""
    return fleet.pid(name) not in (None, killed) and fleet.is_ready(name)


def test_a_killed_replica_is_back_within_three_seconds(three):
    """Ready again, on the same slot, the best of three: the machine may be busy; the others do not notice."""
    before = three.pids
    with contextlib.ExitStack() as stack:
        clients = one_client_on_each(three, stack, three.names)
        took = []
        while len(took) < 3 and min(took, default=BACK_SECONDS) >= BACK_SECONDS:
            killed = three.pid("web-2")
            os.kill(killed, signal.SIGKILL)
            is_back = functools.partial(is_ready_again, three, "web-2", killed)
            took.append(await_that(is_back, 30, "web-2 back"))
        assert min(took) < BACK_SECONDS * slowed(), took
        assert all(hears_itself(clients[name], name) for name in ("web-1", "web-3"))
    assert {name: pid for name, pid in three.pids.items() if name != "web-2"} == {
        name: pid for name, pid in before.items() if name != "web-2"
    }


def test_a_killed_nginx_comes_back(three):
    """Its workers hold the port without it; the new master ends them first."""
    before = three.pid("nginx")
    os.kill(before, signal.SIGKILL)
    await_that(lambda: three.pid("nginx") not in (None, before), 10, "a new master")
    three.make("up")
    assert three.make("status").returncode == 0


def test_up_heals_after_the_supervisor_was_killed(three):
    """What it left is ended, exactly that, and everything starts anew; status tells in between."""
    before = processes(three)
    os.kill(three.pid("supervisor"), signal.SIGKILL)
    await_that(lambda: not is_alive(before["supervisor"]), 10, "the supervisor is dead")
    bystander = subprocess.Popen(["sleep", "600"], cwd=three.run_dir)
    try:
        assert is_alive(before["web-1"])
        told = three.make("status", check=False)
        assert "make up" in told.stdout
        shown = three.make("up").stdout
        assert "end what a killed run left" in shown
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert not any(map(is_alive, before.values()))
    assert three.names == ["web-1", "web-2", "web-3"]


def test_a_busy_port_is_told_with_its_holder(three, unstarted):
    """One sentence with the remedy, and nothing was started."""
    done = unstarted.make("up", PORT=three.port, check=False)
    assert done.returncode != 0
    (sentence, *_) = done.stderr.splitlines()
    assert sentence.startswith(f"Port {three.port} is in use by nginx: master process")
    assert "make up PORT=" in sentence
    assert unstarted.processes() == []


@pytest.mark.parametrize(
    ("variables", "environ", "said"),
    [
        ({}, {"FANOUT_ALOWED_HOSTS": "x"}, "FANOUT_ALLOWED_HOSTS"),
        ({}, {"FANOUT_DEBUG": "perhaps"}, "FANOUT_DEBUG"),
        ({"REPLICAS": 0}, {}, "REPLICAS=0"),
        ({"PORT": 99999}, {}, "PORT=99999"),
        ({"MODE": "cluster"}, {}, "MODE=cluster"),
        ({"RUN_DIR": "/srv/" + "d" * 100}, {}, "too deep"),
    ],
)
def test_what_cannot_be_meant_starts_nothing(unstarted, variables, environ, said):
    """One sentence that names it."""
    done = unstarted.make("up", check=False, environ=environ, **{"PORT": unstarted.port, **variables})
    assert done.returncode != 0
    assert said in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert unstarted.processes() == []


def test_exit_codes_tell_nothing_runs_from_misuse(unstarted):
    """Make turns them all into 2; the command behind it does not."""

    def code(*arguments):
        command = [sys.executable, "-m", "fleet", *arguments, "--run-dir", str(unstarted.run_dir)]
        environ = {**os.environ, "PYTHONPATH": "deploy"}
        return subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, check=False).returncode

    assert code("status") == 3
    assert code("restart") == 3
    assert code("scale", "--replicas", "2") == 3
    assert code("down") == 0
    assert code("scale", "--replicas", "x") == 2


def test_logs_are_shown_without_empty_slots(three):
    """Each line under its name."""
    shown = three.make("logs", FOLLOW=0).stdout
    assert "web-1" in shown
    assert "No such file or directory) while connecting to upstream" not in shown
    assert "take one of" in three.make("logs", NAME="web-77", FOLLOW=0, check=False).stderr


def test_down_leaves_nothing_but_data(unstarted):
    """No process, no socket, no pid file; the second time it says that nothing runs; data comes back."""
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    key = (unstarted.run_dir / "secret_key").read_text()
    (unstarted.run_dir / "sockets" / "web-9.sock").write_text("stale")
    assert "Everything has ended" in unstarted.make("down").stdout
    assert unstarted.processes() == []
    assert not [path for path in unstarted.run_dir.rglob("*") if path.is_socket() or path.suffix in (".pid", ".sock")]
    assert not (unstarted.run_dir / "fleet.json").exists(), "the next start begins with the defaults"
    assert (unstarted.run_dir / "db.sqlite3").exists()
    assert (unstarted.run_dir / "secret_key").read_text() == key
    assert "Nothing runs" in unstarted.make("down").stdout
    assert not listens(unstarted.port)


def test_stale_files_and_a_killed_machine_are_no_obstacle(unstarted):
    """Everything killed at once, as by a power cut: files of all kinds are left, and `up` starts."""
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    for process in unstarted.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    await_that(lambda: not unstarted.processes(), 10, "everything dead")
    assert unstarted.sockets
    assert (unstarted.run_dir / "control.sock").exists()
    unstarted.make("up")
    assert unstarted.names == ["web-1"]
    assert unstarted.settings()["port"] == unstarted.port


def test_down_ends_what_a_killed_supervisor_left(unstarted):
    """Without bringing anything up again."""
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    os.kill(unstarted.pid("supervisor"), signal.SIGKILL)
    assert "Everything has ended" in unstarted.make("down").stdout
    assert unstarted.processes() == []


def removed(folder):
    """Whether a folder could be removed: that ends with an error where somebody writes into it meanwhile."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    return not folder.exists()


def test_a_removed_run_folder_is_no_obstacle(unstarted):
    """Whoever deletes it under a running fleet gets a new one, and nothing of the old one stays."""
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    before = processes(unstarted)
    await_that(lambda: removed(unstarted.run_dir), 10, "its processes write nothing into it any more")
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    assert not any(map(is_alive, before.values()))
