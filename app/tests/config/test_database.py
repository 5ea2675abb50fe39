"""The database's URL, and passwords that come as files."""

from pathlib import Path

import pytest

from config.database import PostgreSQL, django
from config.env import ConfigurationError, read


def test_a_url_names_a_database_of_postgresql():
    """With a port, a password and libpq's parameters; each may be left out."""
    env = read({"FANOUT_DATABASE": "postgresql://me:s%40cret@db.example.org:6432/chat?sslmode=require"})
    assert env.database == PostgreSQL("db.example.org", 6432, "chat", "me", "s@cret", {"sslmode": "require"})
    assert read({"FANOUT_DATABASE": "postgres://me@db/chat"}).database == PostgreSQL("db", 5432, "chat", "me")


def test_a_password_comes_from_a_file(password_file):
    """And from the URL, when that has one."""
    given = {"FANOUT_DATABASE": "postgresql://me@db/chat", "FANOUT_DATABASE_PASSWORD_FILE": password_file}
    found = [read(given), read({**given, "FANOUT_DATABASE": "postgresql://me:own@db/chat"})]
    assert [env.database.password for env in found] == ["p@ss/w%rd", "own"]


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
