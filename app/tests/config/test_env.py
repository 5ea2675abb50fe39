"""The environment: every variable's default, its good values, and what is said about bad ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fleet.limits
import fleet.nginx
from config import limits
from config.env import REPOSITORY, VARIABLES, ConfigurationError, read
from fanout.limits.admission import STORM_SECONDS
from fanout.limits.bounds import NAMES, Limits
from tests.replicas import APP, LIMIT, clean_environment

KEY = "k" * 32
PRODUCTION = {
    "FANOUT_ENV": "production",
    "FANOUT_SECRET_KEY": KEY,
    "FANOUT_ALLOWED_HOSTS": "chat.example.org",
    "FANOUT_REDIS_URLS": "redis://redis:6379",
}


def refused(**values):
    """Return the sentence of a refused environment."""
    with pytest.raises(ConfigurationError) as caught:
        read(values)
    return str(caught.value)


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


LOOPBACK = ("127.0.0.0/8", "::1/128")
OWN = {"exempt": LOOPBACK, "unlimited": LOOPBACK}
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
    ("FANOUT_LIMITS", "off", "is_limited", False),
    ("FANOUT_LIMITS", "off", "limits", dict.fromkeys(limits.NUMBERS.values(), 0)),
    ("FANOUT_LIMITS_EXEMPT", "192.0.2.0/24, loopback,2001:db8::1", "limits",
     {"exempt": ("192.0.2.0/24", *LOOPBACK, "2001:db8::1/128"), "unlimited": LOOPBACK}),
    ("FANOUT_LIMITS_EXEMPT", "private", "limits", {"exempt": limits.WORDS["private"], "unlimited": LOOPBACK}),
    ("FANOUT_LIMITS_EXEMPT", "127.0.0.9", "limits", {"exempt": ("127.0.0.9/32",), "unlimited": ("127.0.0.9/32",)}),
    ("FANOUT_LIMITS_EXEMPT", "none", "limits", {"exempt": ()}),
    *((name, "7", "limits", {field: 7, **OWN}) for name, field in limits.NUMBERS.items()),
    ("FANOUT_REDIS_URLS", "redis://u:p%40ss@host:6379/0, rediss://[::1]:6380,unix:///r/redis.sock?db=1", "redis_hosts",
     ["redis://u:p%40ss@host:6379/0", "rediss://[::1]:6380", "unix:///r/redis.sock?db=1"]),
    ("FANOUT_REDIS_URLS", "sentinel://one/fleet", "redis_hosts",
     [{"sentinels": [("one", 26379)], "master_name": "fleet"}]),
    ("FANOUT_REDIS_URLS", "redis://a,sentinel://u:p%40%2C@s_1:5,[::1]:6/my-fleet/3,sentinel://:p@c/d,unix:///b",
     "redis_hosts",
     ["redis://a",
      {"sentinels": [("s_1", 5), ("::1", 6)], "master_name": "my-fleet", "username": "u", "password": "p@,", "db": 3},
      {"sentinels": [("c", 26379)], "master_name": "d", "password": "p"}, "unix:///b"]),
    ("FANOUT_REDIS_URLS", "redis://redis_1,unix://:p@/run/redis.sock", "redis_hosts",
     ["redis://redis_1", "unix://:p@/run/redis.sock"]),
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
    ("FANOUT_LIMITS", "none"),
    ("FANOUT_LIMITS_EXEMPT", "192.0.2.1/24"),
    ("FANOUT_LIMITS_EXEMPT", "everybody"),
    *((name, value) for name in limits.NUMBERS for value in ("-1", "1e3", "9" * 13)),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org/"),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org?x"),
    ("FANOUT_TRUSTED_ORIGINS", "HTTPS://example.org"),
    ("FANOUT_TRUSTED_ORIGINS", "https://"),
    ("FANOUT_TRUSTED_ORIGINS", "ftp://example.org"),
    ("FANOUT_TRUSTED_ORIGINS", "https://[::1"),
    ("FANOUT_TRUSTED_ORIGINS", "https://example.org:port"),
    ("FANOUT_TRUSTED_ORIGINS", "https://user:secret@example.org"),
    ("FANOUT_REDIS_URLS", "localhost:6379"),
    ("FANOUT_REDIS_URLS", "redis://"),
    ("FANOUT_REDIS_URLS", "unix://"),
    ("FANOUT_REDIS_URLS", "http://host"),
    ("FANOUT_REDIS_URLS", "redis://host:port"),
    ("FANOUT_REDIS_URLS", "redis://host:99999"),
    ("FANOUT_REDIS_URLS", "redis://[::1"),
    ("FANOUT_REDIS_URLS", "redis://host;redis://other"),
    ("FANOUT_REDIS_URLS", "redis://host,other"),
    ("FANOUT_REDIS_URLS", "sentinel://"),
    ("FANOUT_REDIS_URLS", "sentinel://host"),
    ("FANOUT_REDIS_URLS", "sentinel:///fleet"),
    ("FANOUT_REDIS_URLS", "sentinel://host:port/fleet"),
    ("FANOUT_REDIS_URLS", "sentinel://host,:1/fleet"),
    ("FANOUT_REDIS_URLS", "sentinel://host/fleet/db"),
    ("FANOUT_REDIS_URLS", "sentinel://host/fleet,other"),
    ("FANOUT_REDIS_URLS", "sentinel://host/fl eet"),
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


@pytest.mark.parametrize(
    "url",
    [
        "redis:/user:hunter2@host",
        "http://user:hunter2@host",
        "redis://:hunter2@host:port",
        "redis://:hunter2,3@h",
        "sentinel://:hunter2@host",
        "sentinel://:hunter2,3@host/fleet/x",
    ],
)
def test_a_password_is_not_repeated(url):
    """Logs outlive passwords."""
    sentence = refused(FANOUT_REDIS_URLS=url)
    assert "FANOUT_REDIS_URLS" in sentence
    assert "hunter2" not in sentence


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


@pytest.mark.parametrize("value", ["0.0.0.0/0", "0.0.0.0/1,128.0.0.0/2,192.0.0.0/2", "::/0", "2000::/4, 3000::/4"])
def test_production_does_not_exempt_everybody(value):
    """In one piece or in several; elsewhere the doctor says it."""
    sentence = "FANOUT_LIMITS_EXEMPT exempts everybody: name the networks of your load generators."
    assert refused(**{**PRODUCTION, "FANOUT_LIMITS_EXEMPT": value}) == sentence
    assert read({**PRODUCTION, "FANOUT_LIMITS_EXEMPT": "private, 128.0.0.0/1, 2001:db8::/32"}).is_limited


def test_production_exempts_nobody_unless_told():
    """Not even this machine: there may be a proxy on it."""
    assert read(PRODUCTION).limits == {"exempt": ()}


def test_each_limit_is_the_packages_and_nginx_has_the_same():
    """Names, defaults and words."""
    assert set(limits.NUMBERS.values()) == set(NAMES) - {"floods"}
    assert set(limits.NUMBERS) <= set(VARIABLES)
    assert limits.WORDS == fleet.limits.NETWORKS
    ours, nginx = Limits(), fleet.limits.ClientLimits()
    assert (nginx.connections, nginx.handshakes) == (ours.connections_per_address, ours.handshakes_per_second)
    assert fleet.nginx.STORM_SECONDS == STORM_SECONDS
    example = (REPOSITORY / ".env.example").read_text()
    for name, field in limits.NUMBERS.items():
        assert f"# {name}={getattr(ours, field)}\n" in example


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
