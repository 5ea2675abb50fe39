"""What `make doctor` finds at a machine and at a fleet that runs."""

from pathlib import Path

import pytest

from fleet import nginx as rendering
from fleet.doctor import machine
from fleet.options import REPOSITORY
from fleet.state import Run, Settings
from tests import certificates
from tests.deploy.nginx_conf import GOOD

# -- the machine -----------------------------------------------------------------------------------------


def test_a_machine_that_is_well_has_nothing(tmp_path):
    """With room on its disk, and sockets for their group alone."""
    (tmp_path / "sockets").mkdir(mode=0o700)
    (tmp_path / "sockets/web-1.sock").touch(mode=0o660)
    assert list(machine.of_sockets(tmp_path / "sockets")) == []
    assert list(machine.of_descriptors(65_536)) == []
    assert list(machine.of_proxies(("10.0.0.0/8", "192.0.2.7/32", "fd00::/8"))) == []
    assert list(machine.of_end("x.pem", 30)) == []


@pytest.mark.parametrize(
    ("line", "mode", "is_found"),
    [
        ("FANOUT_SECRET_KEY=abc", 0o644, True),
        ("FANOUT_REDIS_URLS=redis://app:abc@192.0.2.7", 0o604, True),
        ("FANOUT_DATABASE=postgresql://fanout:abc@db/fanout", 0o644, True),
        ("FANOUT_SECRET_KEY=abc", 0o640, False),
        ("FANOUT_DATABASE=postgresql://fanout@db:5432/fanout", 0o644, False),
        ("FANOUT_SECRET_KEY=", 0o644, False),
        ("FANOUT_LOG_LEVEL=DEBUG", 0o644, False),
    ],
)
def test_secrets_that_everybody_can_read_are_found(tmp_path, line, mode, is_found):
    """In the file of variables; one without secrets may be read."""
    path = tmp_path / ".env"
    assert list(machine.of_env_file(path)) == []
    path.write_text(f"{line}\n")
    path.chmod(mode)
    assert [finding.do for finding in machine.of_env_file(path)] == [f"chmod 600 {path}"] * is_found


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "0.0.0.0/1"])
def test_trusting_everybody_is_found(network):
    """Then a client names its own address."""
    (finding,) = machine.of_proxies((network,))
    assert network in finding.what


def test_small_kernel_limits_are_found(monkeypatch, tmp_path):
    """A short backlog, and a kernel that promises no memory."""
    for name, value in (("SOMAXCONN", "128"), ("OVERCOMMIT", "2")):
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setattr(machine, name, tmp_path / name)
    told = [str(finding) for finding in machine.findings(Run(tmp_path / "run"), Settings(), 1024)]
    assert "128 handshakes" in told[0]
    assert "88 %" in told[0]
    assert "overcommit" in told[1]
    assert "1,024 files" in told[2]


def test_leftovers_among_the_sockets_are_found(tmp_path):
    """A lock file of a plain Daphne, and a socket that everybody may use."""
    tmp_path.chmod(0o755)
    (tmp_path / "web-1.sock.lock").touch()
    (tmp_path / "web-2.sock").touch()
    (tmp_path / "web-2.sock").chmod(0o666)
    lock, wide = machine.of_sockets(tmp_path)
    assert lock.do == f"rm {tmp_path}/web-1.sock.lock"
    assert "mode 666" in wide.what


@pytest.mark.parametrize(("days", "said"), [(20, "ends in 20 days"), (-3, "has ended 3 days ago")])
def test_a_certificate_that_ends_soon_is_found(days, said):
    """While there is time to renew it."""
    (finding,) = machine.of_end("x.pem", days)
    assert said in finding.what


def test_the_files_of_tls_are_looked_at(tmp_path):
    """When the certificate ends, and who may read its key."""
    certificate, key = map(Path, certificates.write(tmp_path))
    settings = Settings(tls_port=8443, tls_certificate=str(certificate), tls_key=str(key))
    key.chmod(0o644)
    told = [finding.what for finding in machine.findings(Run(tmp_path), settings, 65_536)]
    assert any(f"can read the key {key}" in what for what in told)
    key.chmod(0o600)
    told = [finding.what for finding in machine.findings(Run(tmp_path), settings, 65_536)]
    assert not any("the key" in what for what in told)


# -- the verb ----------------------------------------------------------------------------------------------


def test_a_fleet_that_runs_is_well(fleet):
    """Machine, nginx, settings and Redis: nothing that would fail; nothing is changed by looking."""
    before = fleet.settings()
    done = fleet.make("doctor", check=False)
    assert "nginx: nothing found." in done.stdout
    assert "Settings and Redis: nothing found." in done.stdout
    assert fleet.settings() == before


def test_a_configuration_of_ones_own_is_looked_at(unstarted, tmp_path):
    """It alone; a file that is not there is told in a sentence."""
    file = tmp_path / "nginx.conf"
    file.write_text(GOOD.replace("zone chat 64k;", ""))
    done = unstarted.make("doctor", check=False, ARGS=str(file))
    assert (done.returncode, done.stdout.count("  why  ")) == (2, 1)
    file.write_text(GOOD)
    assert unstarted.make("doctor", ARGS=str(file)).stdout == f"{file}: nothing found.\n"
    for mode in ("compose", "k8s"):  # whatever runs here, and whether an engine or a cluster answers
        assert unstarted.make("doctor", ARGS=str(file), MODE=mode).stdout == f"{file}: nothing found.\n"
    file.write_bytes(bytes(range(256)))
    done = unstarted.make("doctor", check=False, ARGS=str(file))
    assert done.stderr.startswith(f"{file} is no configuration of nginx: none of events, http, server,")
    done = unstarted.make("doctor", check=False, ARGS="/nowhere.conf")
    assert done.stderr.startswith("/nowhere.conf cannot be read (No such file or directory): name a configuration")


def test_before_the_first_start_it_says_what_to_type(unstarted):
    """And makes no folder."""
    done = unstarted.make("doctor", check=False)
    assert "redis.sock does not answer: Redis can't be reached: Error 2 connecting" in done.stdout
    assert "do   make up" in done.stdout
    assert not unstarted.run_dir.exists()


def test_the_repository_is_the_one_that_is_looked_at():
    """The templates that are judged above are those that the fleet renders."""
    assert rendering.TEMPLATES == REPOSITORY / "nginx"


# -- Compose files and manifests -------------------------------------------------------------------------------
