import os
import re
import subprocess

import pytest

from fleet import bootstrap, configuration, main, nginx, verbs
from fleet.django import reason
from fleet.errors import UsageError
from fleet.kubernetes import verbs as cluster
from fleet.options import REPOSITORY, VARIABLES, VERBS, Options
from fleet.state import Settings
from fleet.usage import USAGE


def makefile():
    return (REPOSITORY / "Makefile").read_text()


def test_every_verb_is_a_target_is_a_function_is_explained():
    """Makefile, command line, code and help name the same verbs."""
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile(), re.MULTILINE))
    assert targets == set(VERBS)
    assert set(verbs.VERBS) == set(VERBS) - {"help", *cluster.ONLY_HERE}
    assert set(cluster.ONLY_HERE) <= set(cluster.VERBS)
    assert set(cluster.VERBS) | set(cluster.INSTEAD) <= set(VERBS)
    assert all(f"  make {verb} " in USAGE for verb in VERBS)


def test_every_value_reaches_the_command_line():
    """What help names make exports, and the command line reads."""
    exported = re.search(r"^export (.*)$", makefile(), re.MULTILINE)[1].split()
    assert set(exported) == set(VARIABLES)
    explained = set(re.findall(r"\b([A-Z_]{3,})=", USAGE))
    assert explained <= {*VARIABLES, "PYTHON"}


def test_each_target_is_one_command():
    """Logic lives in the package."""
    recipes = re.findall(r"^\t(.*)$", makefile(), re.MULTILINE)
    assert recipes == [f"$(FLEET) {verb}" for verb in re.findall(r"^([a-z0-9-]+):", makefile(), re.MULTILINE)]


def test_make_alone_helps():
    """The first thing a newcomer types explains the rest."""
    done = subprocess.run(
        ["make", "-C", REPOSITORY, "--no-print-directory"], capture_output=True, text=True, check=True
    )
    assert done.stdout == USAGE


def test_make_hands_on_the_names_it_was_given():
    """Whatever stands in the environment is nobody's misspelling."""
    command = ["make", "-C", REPOSITORY, "--no-print-directory", "status", "ENV_FILE=/dev/null", "PROT=8081"]
    done = subprocess.run(command, env={**os.environ, "REPLICA": "5"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("PROT= is no value of `make`: did you mean PORT=?")


def test_help_fits_a_terminal():
    """No line is wrapped."""
    assert max(map(len, USAGE.splitlines())) <= 120


def test_a_mistake_is_one_sentence_and_an_exit_code(capsys):
    """No traceback, nothing on standard output."""
    assert main.main(["up", "--replicas", "0"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1


def test_more_replicas_than_slots_are_refused(run):
    """Nginx would never find them."""
    asked = Options("up", run.root, run.root, replicas=17)
    with pytest.raises(UsageError, match="SLOTS=17"):
        configuration.decide(asked, Settings())
    assert configuration.decide(Options("up", run.root, run.root, replicas=17, slots=32), Settings()).replicas == 17


def test_what_is_not_asked_for_stays():
    """A running fleet keeps its size when only its port is changed; an empty list is a value."""
    current = Settings(replicas=5, port=9000, trusted_proxies=("10.0.0.0/8",))
    assert configuration.decide(Options("up", REPOSITORY, REPOSITORY, port=9001), current) == Settings(
        replicas=5, port=9001, trusted_proxies=("10.0.0.0/8",)
    )


def test_an_emptied_list_is_the_default_again_and_said():
    """In one sentence each, but only where there was something."""
    current = Settings(bind=("0.0.0.0",), trusted_proxies=("10.0.0.0/8",))
    asked = Options("up", REPOSITORY, REPOSITORY, bind=(), trusted_proxies=())
    assert configuration.decide(asked, current) == Settings()
    said = configuration.emptied(asked, current)
    assert [sentence.partition(" is empty")[0] for sentence in said] == ["BIND", "TRUSTED_PROXIES"]
    assert configuration.emptied(asked, Settings()) == []
    assert configuration.emptied(Options("up", REPOSITORY, REPOSITORY), current) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--tls-port", "8443"], "TLS_PORT=8443 needs a certificate"), (["--replicas", "17"], "SLOTS=17")],
)
def test_what_does_not_fit_together_is_told_before_anything_is_installed(
    tmp_path, monkeypatch, capsys, arguments, said
):
    """The first installation takes minutes, and leaves no doubt whether it was for nothing."""
    installed = []
    monkeypatch.setattr(bootstrap, "ensure", lambda *_: installed.append(True))
    monkeypatch.setattr(bootstrap, "enter", lambda *_: installed.append(True))
    monkeypatch.setattr(bootstrap, "is_inside", lambda: installed.append(True))
    (tmp_path / "run").mkdir(mode=0o700)
    assert main.main(["up", "--run-dir", str(tmp_path / "run"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert installed == []


def test_a_refused_variable_is_told_in_the_applications_words():
    """The sentence alone, whatever else was printed; other failures are shown as they are."""
    said = "Traceback\nConfiguration error: FANOUT_X is unknown: did you mean FANOUT_Y?"
    assert reason("check", said) == "FANOUT_X is unknown: did you mean FANOUT_Y?"
    assert reason("migrate", "locked") == "manage.py migrate failed:\nlocked"


def test_nginx_speaks_for_itself_when_it_refuses(run):
    """A broken configuration never replaces a good one."""
    path = run.nginx_configuration
    path.write_text("good")
    with pytest.raises(Exception, match="nginx refuses its configuration"):
        nginx.write(path, "nonsense;", "nginx")
    assert path.read_text() == "good"


def test_a_reload_stays_due_until_nginx_has_taken_it_up(run):
    """A command that failed or was interrupted before its reload leaves it to the next one."""
    path, text = run.nginx_configuration, "events {}\n"
    assert nginx.write(path, text, "true")
    assert nginx.write(path, text, "true")
    nginx.taken_up(path)
    assert not nginx.write(path, text, "true")
