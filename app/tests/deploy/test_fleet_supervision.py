import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from fleet import supervision
from fleet.state import Run, Settings


def parsed(path):
    """The configuration as the supervisor itself reads it: programs by name, and the options."""
    options = ServerOptions()
    options.configfile = str(path)
    options.realize(args=[])
    return {group.name: group.process_configs[0] for group in options.process_group_configs}, options


def written(run, settings, redis="/usr/bin/redis-server"):
    programs = supervision.programs(run, settings, redis, "/usr/sbin/nginx")
    run.supervisor.write_text(supervision.render(run, programs, "root"), encoding="utf-8")
    return parsed(run.supervisor)


def test_each_replica_is_a_group_of_its_own(run):
    """So that adding or removing one never touches another."""
    programs, _ = written(run, Settings(replicas=3))
    assert sorted(programs) == ["nginx", "redis", "web-1", "web-2", "web-3", "worker"]


def test_redis_starts_first_and_nginx_last(run):
    """The order of the priorities is the order of need."""
    programs, _ = written(run, Settings(replicas=1))
    order = sorted(programs, key=lambda name: programs[name].priority)
    assert order == ["redis", "web-1", "worker", "nginx"]


def test_somebody_elses_redis_is_not_started(run):
    """With FANOUT_REDIS_URLS the fleet has none of its own."""
    programs, _ = written(run, Settings(replicas=1, own_redis=False))
    assert "redis" not in programs


def test_a_replica_keeps_the_shells_process_id(run):
    """The shell that reads the variables is replaced by the replica, so signals reach it."""
    programs, _ = written(run, Settings(replicas=1))
    shell, flag, script = shlex.split(programs["web-1"].command)
    assert (shell, flag) == ("/bin/sh", "-c")
    assert script.startswith(f". {run.environment} && exec ")
    assert f"--name web-1 --socket-dir {run.sockets} --pid-file {run.pids}/web-1.pid" in script


def test_each_process_is_ended_in_its_own_way(run):
    """All but nginx take SIGTERM, nginx SIGQUIT; a replica has time to drain; all come back by themselves."""
    programs, _ = written(run, Settings(replicas=1))
    assert programs["nginx"].stopsignal.name == "SIGQUIT"
    assert {programs[name].stopsignal.name for name in ("web-1", "worker", "redis")} == {"SIGTERM"}
    assert programs["web-1"].stopwaitsecs > 30
    assert all(program.autorestart is not False for program in programs.values())


def test_logs_are_bounded_and_in_one_folder(run):
    """Every log rotates; nginx' requests and errors are two files."""
    programs, _ = written(run, Settings(replicas=1))
    assert programs["nginx"].stdout_logfile == str(run.logs / "access.log")
    assert programs["nginx"].stderr_logfile == str(run.logs / "nginx.log")
    assert programs["web-1"].stdout_logfile == str(run.logs / "web-1.log")
    assert programs["web-1"].redirect_stderr
    assert all(0 < program.stdout_logfile_maxbytes <= 10 * 1024**2 for program in programs.values())


@pytest.mark.parametrize("name", ["with space", "ümlaut", "a,b"])
def test_odd_paths_arrive_as_they_are(run, name):
    """Neither the supervisor nor the shell changes a path."""
    odd = Run(run.root / name)
    odd.make()
    programs, options = written(odd, Settings(replicas=1))
    assert options.pidfile == str(odd.pid_file("supervisor"))
    script = shlex.split(programs["web-1"].command)[2]
    assert str(odd.sockets) in shlex.split(script)
    assert Path(programs["redis"].directory) == odd.redis


def test_a_fleet_of_another_size_differs_in_its_replicas_alone(run):
    """The rest of the text is the same to the byte, so the supervisor sees no change in it."""
    small = written(run, Settings(replicas=2))[0]
    large = written(run, Settings(replicas=3, port=9999))[0]
    assert set(large) - set(small) == {"web-3"}
    assert all(small[name] == large[name] for name in small)
