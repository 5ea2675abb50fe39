import subprocess
from types import SimpleNamespace

import pytest

from fleet import packages
from fleet.errors import FleetError
from fleet.progress import Progress


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A pretended machine: which programs exist, who we are, and what was run."""
    fake = SimpleNamespace(
        programs={"apt-get"}, rights=[], policy=tmp_path / "policy-rc.d", ran=[], policies=[], fails=False
    )

    def run(command, **_options):
        words = [str(word) for word in command]
        fake.ran.append(words)
        if "sh" in words[:2]:
            fake.policy.write_text(words[words.index("sh", words.index("sh") + 1) + 1])
        elif "rm" in words[:2]:
            fake.policy.unlink()
        elif "install" in words:
            fake.policies.append(fake.policy.read_text() if fake.policy.exists() else None)
        code = 100 if fake.fails and "install" in words else 0
        return subprocess.CompletedProcess(words, code, "", "E: Unable to locate package nginx" if code else "")

    monkeypatch.setattr(packages, "find", lambda program: program if program in fake.programs else None)
    monkeypatch.setattr(packages, "privilege", lambda: fake.rights)
    monkeypatch.setattr(packages, "POLICY", fake.policy)
    monkeypatch.setattr(packages.subprocess, "run", run)
    monkeypatch.setattr(packages.shutil, "which", lambda program, path=None: f"/bin/{program}")
    return fake


def test_nothing_is_installed_when_all_is_there(machine):
    """The ordinary case runs no command."""
    machine.programs |= {"nginx", "redis-server"}
    packages.ensure(("nginx", "redis-server"), Progress())
    assert machine.ran == []


def test_only_what_is_missing_is_installed_and_no_service_starts(machine):
    """While apt-get works, the machine forbids service starts; afterwards it is as before, and boots without ours."""
    machine.programs.add("redis-server")
    packages.ensure(("nginx", "redis-server"), Progress())
    install = next(words for words in machine.ran if "install" in words)
    assert install[-1] == "nginx"
    assert "--no-install-recommends" in install
    assert "DEBIAN_FRONTEND=noninteractive" in install
    assert machine.policies == [packages.POLICY_TEXT]
    assert "exit 101" in packages.POLICY_TEXT
    assert not machine.policy.exists()
    assert ["update-rc.d", "nginx", "disable"] in machine.ran


def test_a_rule_of_the_machine_itself_stays(machine):
    """Somebody else's policy-rc.d is neither replaced nor removed."""
    machine.policy.write_text("#!/bin/sh\nexit 101\n# mine")
    packages.ensure(("nginx",), Progress())
    assert machine.policy.read_text().endswith("# mine")


def test_the_leftover_of_a_killed_installation_is_removed(machine):
    """A rule with our own text counts as ours."""
    machine.policy.write_text(packages.POLICY_TEXT)
    packages.ensure(("nginx",), Progress())
    assert not machine.policy.exists()


def test_the_rule_is_removed_when_the_installation_fails(machine):
    """And the sentence is apt-get's own."""
    machine.fails = True
    with pytest.raises(FleetError, match="Unable to locate package"):
        packages.ensure(("nginx",), Progress())
    assert not machine.policy.exists()


def test_who_may_not_install_is_told_the_command(machine):
    """One sentence, nothing was run."""
    machine.rights = None
    with pytest.raises(FleetError) as caught:
        packages.ensure(("nginx", "redis-server"), Progress())
    assert "sudo apt-get install --no-install-recommends nginx redis-server" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert machine.ran == []


@pytest.mark.parametrize("rights", [[], None])
def test_a_program_that_is_gone_is_told_as_that(machine, rights):
    """Where nothing is installed any more; what this account may not do is said only where it may not."""
    machine.rights = rights
    with pytest.raises(FleetError, match="nginx is not installed") as caught:
        packages.require("nginx")
    assert ("may not install" in str(caught.value)) == (rights is None)


def test_another_distribution_is_told_the_names(machine):
    """Without apt-get the packages are named."""
    machine.programs.clear()
    with pytest.raises(FleetError, match="package manager of this system for nginx"):
        packages.ensure(("nginx",), Progress())


def test_sudo_is_put_before_each_command(machine):
    """With passwordless sudo everything that changes the machine goes through it."""
    machine.rights = ["sudo", "-n"]
    packages.ensure(("nginx",), Progress())
    assert all(words[:2] == ["sudo", "-n"] for words in machine.ran)
