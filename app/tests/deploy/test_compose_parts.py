"""The pure parts of the Compose mode: names, values, sentences, what an engine says."""

import contextlib
import io
import json
import os
import shlex
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import mode, redis_accounts
from fleet.compose import containers, down, echo, logs, override, project, secrets, status
from fleet.compose.engine import (
    DISK_FULL,
    NO_ENGINE,
    NO_IMAGE,
    NO_RIGHT,
    NO_WHEELS,
    PORT_TAKEN,
    Engine,
    explain,
)  # fmt: skip
from fleet.compose.project import Project
from fleet.compose.replicas import Replica
from fleet.errors import FleetError, UsageError
from fleet.options import REPOSITORY, Options
from fleet.progress import Progress
from fleet.state import Run, Settings

SAID = {
    "Got permission denied while trying to connect to the Docker daemon socket at unix:///x": NO_RIGHT,
    "dial unix /var/run/docker.sock: connect: permission denied": NO_RIGHT,
    "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?": NO_ENGINE,
    "write /var/lib/docker/tmp/x: no space left on device": DISK_FULL,
    "Cannot start service nginx: Bind for 127.0.0.1:8080 failed: port is already allocated": PORT_TAKEN,
    "listen tcp4 127.0.0.1:8080: bind: address already in use": PORT_TAKEN,
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup failed': NO_IMAGE,
    "pull access denied for x, repository does not exist": NO_IMAGE,
    "ERROR: No matching distribution found for django==5.2.19": NO_WHEELS,
}


@pytest.mark.parametrize(("said", "sentence"), SAID.items())
def test_what_an_engine_says_becomes_a_sentence(said, sentence):
    """With a remedy; the engine's own words are left out."""
    assert explain("docker up", f"noise\n{said}\n") == sentence


def test_what_nobody_knows_is_told_as_it_was_said():
    """The last lines, under the command."""
    assert explain("docker up", "a\n\nb\n") == "`docker up` failed:\na\nb"
    assert explain("docker up", "") == "`docker up` failed:\nit gave no reason"


def test_a_missing_engine_is_a_sentence(tmp_path):
    """Also where only its program is there; it is looked for where it would be started from."""
    (tmp_path / "docker").symlink_to("/bin/false")
    missing = Engine(program="no-such-engine").absence()
    assert missing.startswith("There is no `no-such-engine` here")
    assert Engine(environ={"PATH": "/nowhere"}).absence() == missing.replace("no-such-engine", "docker")
    assert Engine(environ={"PATH": str(tmp_path)}).absence() == "`docker version` failed:\nit gave no reason"
    nobody = Engine(environ={"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nobody"})
    assert nobody.absence() in (NO_ENGINE, missing.replace("no-such-engine", "docker"))


def test_secrets_are_made_once(run):
    """For everybody to read, in a folder that nobody else enters; what is there stays."""
    folder = run.root / "secrets"
    assert secrets.ensure(folder) == list(secrets.SIZES)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(before) == set(secrets.NAMES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert secrets.ensure(folder) == []
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert before[secrets.REDIS_PASSWORD].strip() not in before[secrets.REDIS_ACL]


def test_an_empty_secret_is_refused_and_a_folder_in_its_place_replaced(run):
    """Engines make a folder for a file that they were to mount and that was missing."""
    folder = run.root / "secrets"
    for name in (secrets.REDIS_ACL, secrets.SECRET_KEY):
        (folder / name).mkdir(parents=True)
    secrets.ensure(folder)
    (folder / secrets.SECRET_KEY).unlink()
    (folder / secrets.SECRET_KEY).touch()
    with pytest.raises(FleetError, match="secret_key is empty"):
        secrets.ensure(folder)


def test_a_password_changed_by_hand_reaches_redis(run):
    """Its accounts follow the file."""
    folder = run.root / "secrets"
    secrets.ensure(folder)
    (folder / secrets.REDIS_PASSWORD).unlink()
    (folder / secrets.REDIS_PASSWORD).write_text("new")
    secrets.ensure(folder)
    operator = secrets.read(folder, secrets.OPERATOR_PASSWORD)
    assert (folder / secrets.REDIS_ACL).read_text() == redis_accounts.render("new", operator)


def test_the_project_has_composes_own_name_for_this_folder(run):
    """So that `docker compose` by hand means the same fleet; another run folder's has a hash behind it."""
    assert Project(Run(REPOSITORY / ".run")).name == project.NOT_IN_A_NAME.sub("", REPOSITORY.name.lower())
    assert Project(run).name != Project(Run(run.root / "x")).name


def test_values_are_read_back_as_they_were_given(run):
    """Whatever is in them; options win over names of theirs in the file."""
    nasty = """it's "quoted" $HOME `id` \\ #;%"""
    made = Project(run, engine=Engine(environ={}))
    made.remember(Settings(replicas=5, port=8081), {"FANOUT_ALLOWED_HOSTS": nasty, "PORT": "1", "OTHER": "x"})
    kept = made.kept()
    assert (kept["REPLICAS"], kept["PORT"], kept["FANOUT_ALLOWED_HOSTS"]) == ("5", "8081", nasty)
    assert "OTHER" not in kept
    assert made.recall() == Settings(replicas=5, port=8081)
    made.resize(Settings(replicas=2, port=8081))
    assert (made.kept()["REPLICAS"], made.kept()["FANOUT_ALLOWED_HOSTS"]) == ("2", nasty)
    assert shlex.split(project.quoted(nasty)) == [nasty]


@pytest.mark.parametrize("port", [None, 8081])
def test_what_is_refused_is_not_remembered(run, port):
    """What runs was started with what was kept before, or nothing ran."""
    made = Project(run, engine=Engine(environ={}))
    if port:
        made.remember(Settings(port=port), {})
    with contextlib.suppress(FleetError), made.remembering(Settings(port=9, bind=("::1", "127.0.0.1")), {}):
        assert made.kept()["PORT"] == "9"
        raise FleetError
    assert made.kept().get("PORT") == (port and str(port))
    assert not made.override.exists()


def test_the_shell_has_no_say_in_composes_values(run):
    """Make exports PORT and its like empty; COMPOSE_FILE would lead elsewhere."""
    made = Project(run, engine=Engine(environ={"PORT": "9", "COMPOSE_FILE": "x", "FANOUT_DEBUG": "1", "PATH": "/bin"}))
    made.remember(Settings(port=8081), {})
    environ = made.environ()
    assert (environ["PORT"], environ["PATH"]) == ("8081", "/bin")
    assert environ["COMPOSE_FILE"].endswith("compose.yaml")
    assert "FANOUT_DEBUG" not in environ


@pytest.mark.parametrize("name", [*project.MADE_HERE, *project.FIXED])
def test_what_containers_get_from_elsewhere_is_refused(name):
    """It would have no effect, or show in `docker inspect`."""
    with pytest.raises(UsageError, match=f"^{name} has no effect in containers"):
        project.refuse_fixed({name: "x"})


@pytest.mark.parametrize(
    ("asked", "before", "there", "chosen"),
    [
        ("", "", ["docker", "docker-compose"], ["docker", "compose"]),
        ("", "", ["docker-compose"], ["docker-compose"]),
        ("", "docker-compose", ["docker", "docker-compose"], ["docker-compose"]),
        ("", "docker-compose", ["docker"], ["docker", "compose"]),
        ("docker compose", "docker-compose", ["docker", "docker-compose"], ["docker", "compose"]),
    ],
)
def test_what_made_a_fleet_goes_on_with_it(run, asked, before, there, chosen):
    """Each version names containers its own way; version 2 where nothing runs and nobody chose."""
    for name in there:
        program = run.root / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.symlink_to("/bin/true")
    made = Project(run, engine=Engine(environ={"PATH": str(run.root / "bin")}), asked=asked)
    made.remember(Settings(compose=before), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(run.root / "bin"))
        assert made.program() == chosen


def test_a_compose_that_is_asked_for_and_missing_is_told(run):
    """No other one is taken in its place."""
    with pytest.raises(FleetError, match=r"^docker-kompose does not work here"):
        Project(run, asked="docker-kompose").program()


def test_the_first_file_says_it_all_by_default(run):
    """Another one is made for more addresses, TLS, proxies and places."""
    root = run.root / "compose"
    assert override.render(root, Settings(replicas=5, port=9000, bind=("0.0.0.0",))) == {}
    more = override.render(root, Settings(bind=("127.0.0.1", "::1"), tls_port=8443))["services"]["nginx"]
    assert more["ports"] == ["[::1]:8080:8080", "127.0.0.1:8443:8443", "[::1]:8443:8443"]
    assert more["volumes"] == [f"{root}/nginx:/etc/nginx/fleet:ro"]
    assert "/etc/nginx/fleet/nginx.conf" in more["command"]


def test_nginx_in_a_container_is_the_nginx_of_everywhere():
    """With its own paths, and the open files that the engine gives."""
    text = override.configuration(Settings(slots=32, trusted_proxies=("10.0.0.0/8",), tls_port=8443))
    assert text.count('server "unix:/run/fanout/web-') == 32
    assert "set_real_ip_from 10.0.0.0/8;" in text
    assert 'ssl_certificate "/etc/nginx/fleet/certificate.pem";' in text
    assert "worker_rlimit_nofile" not in "".join(
        line for line in text.splitlines() if not line.lstrip().startswith("#")
    )


def test_plain_http_is_sent_to_the_port_outside():
    """In its container nginx listens on another one than is published."""
    settings = Settings(tls=True, tls_port=9443, tls_certificate="/none", tls_key="/none", own_certificate=True)
    text = override.configuration(settings)
    assert "return 308 https://$host:9443$request_uri;" in text
    assert "listen 0.0.0.0:8443 ssl http2" in text
    assert '"max-age=86400"' in text
    ports = override.render(Path("/run"), settings)["services"]["nginx"]["ports"]
    assert ports == ["127.0.0.1:9443:8443"]


def described(**condition):
    """What `docker inspect` says of a replica's container."""
    return {
        "Id": "4711", "Name": "/main-web-2", "Image": "sha256:1", "RestartCount": 2,
        "Config": {"Labels": {
            "com.docker.compose.service": "web", "com.docker.compose.container-number": "2",
            "com.docker.compose.config-hash": "abc",
        }},
        "HostConfig": {"Memory": 512 << 20},
        "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False, "StartedAt": "2026-11-25T22:00:01.123456789Z",
                  **condition},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, ""),
        ({"Health": {"Status": "healthy"}}, ""),
        ({"Health": {"Status": "unhealthy"}}, "unhealthy"),
        ({"Status": "paused"}, "paused"),
        ({"Status": "exited", "ExitCode": 1}, "ended with exit code 1"),
        ({"Status": "exited", "ExitCode": 137}, "killed"),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, "killed: out of memory (512 MiB allowed)"),
    ],
)
def test_a_containers_state_becomes_words(condition, words):
    """Which say what happened."""
    assert containers.parse(described(**condition)).ill() == words


def test_a_container_that_never_started_has_no_age():
    """The engine writes the year 1."""
    assert containers.parse(described(StartedAt="0001-01-01T00:00:00Z")).started is None
    assert containers.parse(described()).started.second == 1


def test_status_notes_what_the_table_does_not_tell():
    """Starts by the engine, what is missing, places that nginx does not know."""
    container = replace(containers.parse(described()), restarts=0)
    others = [replace(container, service=service) for service in status.SERVICES]
    found = [Replica(container, {"replica": f"web-{number}"}) for number in (1, 17)]
    said = "\n".join(status.notes(Settings(replicas=3), [replace(container, restarts=2), *others[2:]], found))
    assert "worker, nginx is missing: `make up` brings it back." in said
    assert "main-web-2 ended by itself and was started again 2 times: `make logs NAME=main-web-2`" in said
    assert "2 of 3 replicas are there" in said
    assert "nginx keeps 16 slots and does not see web-17: make up SLOTS=32." in said
    assert status.notes(Settings(replicas=2), [container, *others], found[:1] * 2) == []


@pytest.mark.parametrize(("text", "size"), [("81.5MiB ", 85458944), ("1GiB", 1 << 30), ("0B", 0), ("--", 0)])
def test_the_engines_sizes_are_read(text, size):
    """As `docker stats` writes them."""
    assert status.size(text) == size


def test_logs_leave_out_what_is_expected():
    """Empty slots and requests; NAME=access shows requests alone; nothing reaches the terminal as a command."""
    slot = (
        "nginx-1  | 2026/11/25 [crit] 7#7: *1 connect() to unix:/run/fanout/web-9.sock failed "
        "(2: No such file or directory) while connecting to upstream"
    )
    request, other = 'nginx-1  | {"time":"2026","request_id":"x"}', "web-1    | \x1b[2Jhello"
    event = 'web-1    | {"time": "T", "level": "INFO", "logger": "a", "message": "closed", "code": 4400}'
    shown = io.StringIO()
    logs.show([slot, request, other, event], shown, access=False)
    assert shown.getvalue() == "web-1    | \\x1b[2Jhello\nweb-1    | T INFO a: closed code=4400\n"
    shown = io.StringIO()
    logs.show([slot, request, other, event], shown, access=True)
    assert shown.getvalue() == f"{request}\n"


def test_a_message_is_framed_as_a_client_must():
    """Masked; and an answer is read back."""
    text = json.dumps({"message": "hi"}).encode()
    framed = echo.frame(text)
    assert framed[:2] == bytes((0x81, 0x80 | len(text)))
    assert bytes(byte ^ framed[2 + place % 4] for place, byte in enumerate(framed[6:])) == text
    assert echo.payload(io.BytesIO(bytes((0x81, 2)) + b"hi")) == b"hi"
    with pytest.raises(ValueError, match="no short text"):
        echo.payload(io.BytesIO(b"\x88\x02\x03\xe8"))


def test_nobody_at_a_terminal_is_not_asked(run, monkeypatch):
    """A pipe gets a sentence instead of a question."""
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(UsageError, match="DATA=drop YES=1"):
        down.confirm(Project(run), ["x_redis"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("answer", ["no\n", "", "y\n"])
def test_only_a_whole_yes_drops_data(run, monkeypatch, answer):
    """Anything else leaves all as it is."""
    monkeypatch.setattr("sys.stdin", Terminal("YES\n"))
    down.confirm(Project(run), ["x_redis"])
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(UsageError, match="Nothing was ended"):
        down.confirm(Project(run), ["x_redis"])


def asked(verb, run, **values):
    return Options(verb, run.root, run.root / ".env", **values)


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody.sock")


def test_without_an_engine_it_is_native(run, no_engine, capsys):
    """And says so, with the reason once; other verbs have nothing to say."""
    assert mode.choose(asked("up", run), run, Progress()) == "native"
    said = capsys.readouterr().out
    assert said.startswith("  MODE=native, plain processes of this host. ")
    assert said.count("engine") <= 1
    assert mode.choose(asked("status", run), run, Progress()) == "native"
    assert capsys.readouterr().out == ""


def test_what_is_said_or_runs_decides(run, no_engine):
    """A fleet of the other mode in the same folder is told, and never touched."""
    assert mode.choose(asked("up", run, mode="compose"), run, Progress()) == "compose"
    made = Project(run, engine=Engine(environ={}))
    made.remember(Settings(), {})
    assert mode.choose(asked("restart", run), run, Progress()) == "compose"
    with pytest.raises(UsageError, match="runs with MODE=compose: `make down` first"):
        mode.choose(asked("up", run, mode="native"), run, Progress())
    made.forget()
    run.remember(Settings())
    assert mode.choose(asked("down", run), run, Progress()) == "native"
    assert mode.choose(asked("test", run, mode="compose"), run, Progress()) == "native"


def test_a_proof_of_another_mode_is_refused(run):
    """What would be proved is not what was said; nothing is installed for it."""
    run.remember(Settings())
    with pytest.raises(UsageError, match="runs with MODE=native: `make down` first"):
        mode.choose(asked("prove", run, mode="compose"), run, Progress())
    assert mode.choose(asked("prove", run), run, Progress()) == "native"
