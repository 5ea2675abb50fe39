"""The URLs of Redis."""

import pytest

from config.env import read
from tests.config.environments import refused

GOOD = [
    ("redis://u:p%40ss@host:6379/0, rediss://[::1]:6380,unix:///r/redis.sock?db=1",
     ["redis://u:p%40ss@host:6379/0", "rediss://[::1]:6380", "unix:///r/redis.sock?db=1"]),
    ("sentinel://one/fleet", [{"sentinels": [("one", 26379)], "master_name": "fleet"}]),
    ("redis://a,sentinel://u:p%40%2C@s_1:5,[::1]:6/my-fleet/3,sentinel://:p@c/d,unix:///b",
     ["redis://a",
      {"sentinels": [("s_1", 5), ("::1", 6)], "master_name": "my-fleet", "username": "u", "password": "p@,", "db": 3},
      {"sentinels": [("c", 26379)], "master_name": "d", "password": "p"}, "unix:///b"]),
    ("redis://redis_1,unix://:p@/run/redis.sock", ["redis://redis_1", "unix://:p@/run/redis.sock"]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "meaning"), GOOD)
def test_a_good_value_is_understood(value, meaning):
    """And white space around it does not matter."""
    assert read({"FANOUT_REDIS_URLS": f" {value}\n"}).redis_hosts == meaning


BAD = [
    "localhost:6379",
    "redis://",
    "unix://",
    "http://host",
    "redis://host:port",
    "redis://host:99999",
    "redis://[::1",
    "redis://host;redis://other",
    "redis://host,other",
    "sentinel://",
    "sentinel://host",
    "sentinel:///fleet",
    "sentinel://host:port/fleet",
    "sentinel://host,:1/fleet",
    "sentinel://host/fleet/db",
    "sentinel://host/fleet,other",
    "sentinel://host/fl eet",
]


@pytest.mark.parametrize("value", BAD)
def test_a_malformed_value_is_named(value):
    """One sentence, which begins with the variable."""
    assert refused(FANOUT_REDIS_URLS=value).startswith("FANOUT_REDIS_URLS is malformed in entry ")


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


def test_redis_servers_get_the_password_of_a_file(password_file):
    """Those whose URL has none, in a form that a URL can hold."""
    urls = "redis://a:6379/0,redis://u@b,redis://:own@c,unix:///run/redis.sock,sentinel://s:26379/main"
    env = read({"FANOUT_REDIS_URLS": urls, "FANOUT_REDIS_PASSWORD_FILE": password_file})
    assert env.redis_hosts == [
        "redis://:p%40ss%2Fw%25rd@a:6379/0",
        "redis://u:p%40ss%2Fw%25rd@b",
        "redis://:own@c",
        "unix://:p%40ss%2Fw%25rd@/run/redis.sock",
        {"password": "p@ss/w%rd", "sentinels": [("s", 26379)], "master_name": "main"},
    ]
