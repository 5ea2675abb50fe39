import os
import subprocess

import pytest

from fleet import environment
from fleet.errors import FleetError, UsageError

NASTY = """it's "quoted" $HOME `id` \\ #;% ü"""


def test_the_run_folder_decides_what_the_caller_left_open(run):
    """Redis, the state folder and the secret are the fleet's own by default."""
    variables = environment.compose({"FANOUT_LOG_LEVEL": "DEBUG", "FANOUT_DEBUG": " "}, run)
    assert variables == {
        "FANOUT_LOG_LEVEL": "DEBUG",
        "FANOUT_REDIS_URLS": f"unix://app@{run.redis}/redis.sock",
        "FANOUT_SECRET_KEY_FILE": str(run.secret_key),
        "FANOUT_STATE_DIR": str(run.root),
    }


def test_another_state_folder_is_refused(run):
    """It is never overwritten in silence; the run folder itself, as the replicas have it, is no other."""
    with pytest.raises(UsageError, match=r"^FANOUT_STATE_DIR=/srv/x .* RUN_DIR=/srv/x to make\.$"):
        environment.compose({"FANOUT_STATE_DIR": "/srv/x"}, run)
    for same in (str(run.root), " "):
        assert environment.compose({"FANOUT_STATE_DIR": same}, run)["FANOUT_STATE_DIR"] == str(run.root)


@pytest.mark.parametrize("name", ["FANOUT_SECRET_KEY", "FANOUT_SECRET_KEY_FILE"])
def test_a_given_secret_is_the_only_one(run, name):
    """The application refuses a key and a key file together."""
    variables = environment.compose({name: "x" * 40}, run)
    assert [key for key in variables if "SECRET" in key] == [name]


def test_given_redis_servers_are_used(run):
    """Somebody else's Redis takes the place of the fleet's own."""
    assert environment.compose({"FANOUT_REDIS_URLS": "redis://r:6379"}, run)["FANOUT_REDIS_URLS"] == "redis://r:6379"


def test_the_shell_wins_over_the_file(tmp_path):
    """`.env` gives defaults; other variables in it are not ours to read."""
    file = tmp_path / ".env"
    file.write_text("# comment\n\nexport FANOUT_A='one two'\nFANOUT_B=file\nOTHER=x\nFANOUT_C=a=b \n")
    found = environment.given({"FANOUT_B": "shell", "PATH": "/bin"}, file)
    assert found == {"FANOUT_A": "one two", "FANOUT_B": "shell", "FANOUT_C": "a=b"}


def test_no_file_is_no_variables(tmp_path):
    """A missing `.env` is the ordinary case."""
    assert environment.read_file(tmp_path / ".env") == {}


def test_a_bad_line_is_named(tmp_path):
    """The sentence tells the file and the line."""
    file = tmp_path / ".env"
    file.write_text("FANOUT_A=1\nnonsense\n")
    with pytest.raises(FleetError, match=r"line 2 is not NAME=value"):
        environment.read_file(file)


def test_a_shell_reads_back_what_was_rendered(run):
    """No value can break out of its quotes."""
    run.environment.write_text(environment.render({"FANOUT_X": NASTY}), encoding="utf-8")
    script = f'. {run.environment} && printf %s "$FANOUT_X"'
    shown = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == NASTY
    assert environment.kept(run) == {"FANOUT_X": NASTY}


def test_processes_inherit_neither_makes_nor_old_values(run):
    """What the supervisor hands down is the caller's environment without make's and the application's variables."""
    given = {"PATH": "/bin", "MAKEFLAGS": "w", "MAKELEVEL": "1", "FANOUT_X": "1", "PYTHONPATH": "deploy", "TZ": "UTC"}
    assert environment.inherited(given, run) == {"PATH": "/bin", "TZ": "UTC", environment.MARK: str(run.root)}


def test_differences_are_names():
    """Added, removed and changed variables are listed, equal ones are not."""
    assert environment.differences({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "x", "D": "4"}) == ["B", "C", "D"]


def test_no_variables_were_kept_before_a_start(run):
    """A fleet that never ran has none."""
    assert environment.kept(run) == {}
    assert os.fspath(run.environment).endswith("environment")
