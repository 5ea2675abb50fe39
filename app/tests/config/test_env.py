"""The environment: every variable's default, its good values, and what is said about bad ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.env import REPOSITORY, VARIABLES, ConfigurationError, read
from tests.config.environments import KEY, PRODUCTION, refused
from tests.replicas import APP, LIMIT, clean_environment

# -- defaults and good values ----------------------------------------------------------------------


def test_an_empty_environment_is_development():
    """It runs alone: own key, loopback names, no Redis, state in the repository's .run."""
    env = read({})
    state = REPOSITORY / ".run"
    assert (env.production, env.debug, env.log_level) == (False, False, "INFO")
    assert (env.allowed_hosts, env.trusted_origins) == (["localhost", "127.0.0.1", "[::1]"], [])
    assert (env.redis_hosts, env.database, env.static_root) == ([], state / "db.sqlite3", state / "static")


def test_without_a_key_a_random_one_is_made():
    """Long enough for Django's own check, another one each time."""
    first, second = read({}).secret_key, read({}).secret_key
    assert first != second
    assert len(first) >= 50


GOOD = [
    ("FANOUT_ENV", "development", "production", False),
    *(("FANOUT_DEBUG", word, "debug", True) for word in ("1", "true", "YES", "On")),
    *(("FANOUT_DEBUG", word, "debug", False) for word in ("0", "false", "No", "OFF")),
    ("FANOUT_SECRET_KEY", KEY, "secret_key", KEY),
    ("FANOUT_ALLOWED_HOSTS", "a.example.org, .example.com,[::1],*", "allowed_hosts",
     ["a.example.org", ".example.com", "[::1]", "*"]),
    ("FANOUT_TRUSTED_ORIGINS", "https://a.example.org:8443,http://[::1]:80,", "trusted_origins",
     ["https://a.example.org:8443", "http://[::1]:80"]),
    ("FANOUT_WITHOUT_ORIGIN", "refuse", "without_origin", False),
    ("FANOUT_DATABASE", "sqlite:///var/lib/x/db.sqlite3", "database", Path("/var/lib/x/db.sqlite3")),
    ("FANOUT_STATE_DIR", "/var/lib/fanout", "database", Path("/var/lib/fanout/db.sqlite3")),
    ("FANOUT_STATE_DIR", "/var/lib/fanout", "static_root", Path("/var/lib/fanout/static")),
    ("FANOUT_STATIC_ROOT", "/srv/static", "static_root", Path("/srv/static")),
    *(("FANOUT_ARCHIVE_DAYS", word, "archive_days", days) for word, days in (("90", 90.0), ("0.5", 0.5))),
    *(("FANOUT_LOG_FORMAT", word, "log_format", word) for word in ("auto", "json", "text")),
    *(("FANOUT_LOG_LEVEL", word, "log_level", word) for word in ("DEBUG", "INFO", "WARNING", "ERROR")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "field", "meaning"), GOOD)
def test_a_good_value_is_understood(name, value, field, meaning):
    """And white space around it does not matter."""
    assert getattr(read({name: f" {value}\n"}), field) == meaning


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_value_means_unset(name, nothing):
    """`FANOUT_X= make up` asks for the default."""
    defaults, given_nothing = read({}), read({name: nothing})
    for field in ("production", "debug", "allowed_hosts", "trusted_origins", "redis_hosts", "database", "static_root"):
        assert getattr(given_nothing, field) == getattr(defaults, field)


def test_other_variables_are_none_of_our_business():
    """Only the prefix is ours."""
    read({"PATH": "/bin", "FANOUTX": "1", "DJANGO_FANOUT_ENV": "x", "fanout_env": "x"})


# -- bad values --------------------------------------------------------------------------------------

BAD = [
    ("FANOUT_ENV", "prod"),
    ("FANOUT_ENV", "Production"),
    ("FANOUT_DEBUG", "maybe"),
    ("FANOUT_SECRET_KEY", "short"),
    ("FANOUT_ALLOWED_HOSTS", "https://example.org"),
    ("FANOUT_ALLOWED_HOSTS", "example.org:8080"),
    ("FANOUT_ALLOWED_HOSTS", "a b"),
    ("FANOUT_TRUSTED_ORIGINS", "example.org"),
    ("FANOUT_WITHOUT_ORIGIN", "maybe"),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org/"),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org?x"),
    ("FANOUT_TRUSTED_ORIGINS", "HTTPS://example.org"),
    ("FANOUT_TRUSTED_ORIGINS", "https://"),
    ("FANOUT_TRUSTED_ORIGINS", "ftp://example.org"),
    ("FANOUT_TRUSTED_ORIGINS", "https://[::1"),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org:port"),
    ("FANOUT_TRUSTED_ORIGINS", "https://user:secret@example.org"),
    ("FANOUT_DATABASE", "postgres://host/db"),
    ("FANOUT_DATABASE", "/var/lib/db.sqlite3"),
    ("FANOUT_DATABASE", "sqlite://host/db"),
    ("FANOUT_DATABASE", "sqlite:///"),
    ("FANOUT_DATABASE", "sqlite://[::1"),
    ("FANOUT_STATE_DIR", "relative"),
    ("FANOUT_STATIC_ROOT", "./static"),
    *(("FANOUT_ARCHIVE_DAYS", word) for word in ("-1", "0", "0.0", "1e3", "ninety", "inf", "1,5")),
    ("FANOUT_LOG_FORMAT", "xml"),
    ("FANOUT_LOG_LEVEL", "info"),
    ("FANOUT_LOG_LEVEL", "TRACE"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_malformed_value_is_named(name, value):
    """One sentence on one line, which begins with the variable."""
    sentence = refused(**{name: value})
    assert sentence.startswith(name)
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence


def test_a_near_miss_of_a_choice_is_offered():
    """The words that may stand there are few."""
    assert "did you mean production?" in refused(FANOUT_ENV="prodution")
    assert "did you mean INFO?" in refused(FANOUT_LOG_LEVEL="INF")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
bytestrings = st.binary().map(lambda value: os.fsdecode(value.replace(b"\0", b"")))


@given(st.sampled_from(VARIABLES), texts | bytestrings)
def test_whatever_stands_there_is_read_or_refused_by_name(name, value):
    """No value ends in another exception."""
    sentence = name
    try:
        read({name: value})
    except ConfigurationError as error:
        sentence = str(error)
    assert sentence.startswith(name)


# -- unknown variables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FANOUT_REDIS_URL", "FANOUT_REDIS_URLS"),
        ("FANOUT_ALOWED_HOSTS", "FANOUT_ALLOWED_HOSTS"),
        ("FANOUT_SECRETKEY", "FANOUT_SECRET_KEY"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_right_one(name, meant):
    """Silence would mean the default."""
    assert refused(**{name: "x"}) == f"{name} is not a variable of this project: did you mean {meant}?"


def test_a_variable_like_none_of_ours_is_refused():
    """The sentence says where ours stand."""
    sentence = refused(FANOUT_9="x")
    assert sentence == "FANOUT_9 is not a variable of this project: .env.example lists the known ones."


# -- production ------------------------------------------------------------------------------------------


def test_production_runs_with_what_it_needs():
    """A key, names and Redis."""
    env = read(PRODUCTION)
    assert (env.production, env.debug, env.secret_key) == (True, False, KEY)


@pytest.mark.parametrize("name", ["FANOUT_SECRET_KEY", "FANOUT_ALLOWED_HOSTS", "FANOUT_REDIS_URLS"])
def test_production_asks_for_what_is_missing(name):
    """By name."""
    sentence = refused(**{**PRODUCTION, name: ""})
    assert name in sentence
    assert "in production" in sentence


@pytest.mark.parametrize(
    ("name", "value"), [("FANOUT_DEBUG", "true"), ("FANOUT_ALLOWED_HOSTS", "a.example.org,*"), ("FANOUT_LIMITS", "off")]
)
def test_production_refuses_what_is_dangerous(name, value):
    """By name."""
    assert refused(**{**PRODUCTION, name: value}).startswith(name)


# -- the key's file --------------------------------------------------------------------------------------


def test_the_key_may_stand_in_a_file(tmp_path):
    """The line's end is not part of it."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    assert read({"FANOUT_SECRET_KEY_FILE": str(path)}).secret_key == KEY


def test_a_key_and_a_file_contradict_each_other(tmp_path):
    """Nobody should have to guess which one counts."""
    sentence = refused(FANOUT_SECRET_KEY=KEY, FANOUT_SECRET_KEY_FILE=str(tmp_path / "key"))
    assert sentence == "FANOUT_SECRET_KEY and FANOUT_SECRET_KEY_FILE are both set: keep one."


@pytest.mark.parametrize("content", [None, b"", b"short\n", b"\xff" * 40])
def test_a_useless_key_file_is_named(tmp_path, content):
    """Missing, empty, too short, no text."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    assert refused(FANOUT_SECRET_KEY_FILE=str(path)).startswith("FANOUT_SECRET_KEY_FILE")


def test_a_secret_key_is_not_repeated():
    """Not even a short one."""
    assert "hunter2" not in refused(FANOUT_SECRET_KEY="hunter2")  # noqa: S106  # none of ours


# -- the start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [("manage.py", "check"), ("-m", "server", "-p", "0"), ("-m", "daphne", "-p", "0", "config.asgi:application")],
)
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FANOUT_ENVV", "x", "FANOUT_ENVV is not a variable of this project: did you mean FANOUT_ENV?"),
        ("FANOUT_DEBUG", "maybe", "FANOUT_DEBUG='maybe' is malformed: it must be true or false."),
    ],
)
def test_a_start_with_a_wrong_variable_fails_with_the_sentence_alone(command, name, value, sentence):
    """Exit code 1, one line, no traceback."""
    done = subprocess.run(
        [sys.executable, *command], cwd=APP, env=clean_environment(**{name: value}),
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Configuration error: {sentence}\n")
