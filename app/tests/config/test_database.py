"""The database's URL, and passwords that come as files."""

from pathlib import Path

import pytest

from config.database import PostgreSQL, django
from config.env import ConfigurationError, read


@pytest.fixture
def file(tmp_path):
    """A file with a password that no URL could hold as it is."""
    path = tmp_path / "password"
    path.write_text("p@ss/w%rd\n")
    return str(path)


def test_a_url_names_a_database_of_postgresql():
    """With a port, a password and libpq's parameters; each may be left out."""
    env = read({"FANOUT_DATABASE": "postgresql://me:s%40cret@db.example.org:6432/chat?sslmode=require"})
    assert env.database == PostgreSQL("db.example.org", 6432, "chat", "me", "s@cret", {"sslmode": "require"})
    assert read({"FANOUT_DATABASE": "postgres://me@db/chat"}).database == PostgreSQL("db", 5432, "chat", "me")


def test_a_password_comes_from_a_file(file):
    """And from the URL, when that has one."""
    given = {"FANOUT_DATABASE": "postgresql://me@db/chat", "FANOUT_DATABASE_PASSWORD_FILE": file}
    found = [read(given), read({**given, "FANOUT_DATABASE": "postgresql://me:own@db/chat"})]
    assert [env.database.password for env in found] == ["p@ss/w%rd", "own"]


def test_redis_servers_get_the_password_of_a_file(file):
    """Those whose URL has none, in a form that a URL can hold."""
    urls = "redis://a:6379/0,redis://u@b,redis://:own@c,unix:///run/redis.sock,sentinel://s:26379/main"
    env = read({"FANOUT_REDIS_URLS": urls, "FANOUT_REDIS_PASSWORD_FILE": file})
    assert env.redis_hosts == [
        "redis://:p%40ss%2Fw%25rd@a:6379/0",
        "redis://u:p%40ss%2Fw%25rd@b",
        "redis://:own@c",
        "unix://:p%40ss%2Fw%25rd@/run/redis.sock",
        {"password": "p@ss/w%rd", "sentinels": [("s", 26379)], "master_name": "main"},
    ]


@pytest.mark.parametrize(
    "url", ["postgresql://db/chat", "postgresql://me@/chat", "postgresql://me@db", "mysql://me@db/x"]
)
def test_a_url_that_names_no_database_is_refused(url):
    """Without a user, a host or a name it names none; a password in it is not repeated."""
    with pytest.raises(ConfigurationError, match="FANOUT_DATABASE=") as caught:
        read({"FANOUT_DATABASE": url.replace("me@", "me:secret@")})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["FANOUT_REDIS_PASSWORD_FILE", "FANOUT_DATABASE_PASSWORD_FILE"])
def test_a_password_file_that_holds_nothing_is_refused(name, tmp_path):
    """So is one that is not there."""
    given = {"FANOUT_REDIS_URLS": "redis://a", "FANOUT_DATABASE": "postgresql://me@db/chat"}
    empty = tmp_path / "empty"
    empty.touch()
    for path in (empty, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match=name):
            read({**given, name: str(path)})


def test_a_password_is_in_no_representation():
    """Tracebacks and logs show descriptions."""
    assert "secret" not in repr(PostgreSQL("db", 5432, "chat", "me", "secret"))


def test_django_is_told_what_it_needs():
    """SQLite waits for its lock; a server that is away is told within seconds."""
    assert django(Path("/x/db.sqlite3"))["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    told = django(PostgreSQL("db", 5432, "chat", "me", "secret", {"sslmode": "require"}))
    assert (told["HOST"], told["NAME"], told["PASSWORD"]) == ("db", "chat", "secret")
    assert told["OPTIONS"] == {"connect_timeout": 5, "sslmode": "require"}
