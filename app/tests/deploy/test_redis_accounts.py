"""What the application may say to Redis: all that its code says, nothing more, and what a thief of its account finds.

Every test of the layer and every fleet talks to Redis with these rights (tests/redis_servers.py, fleet.environment).
"""

import ast
import contextlib
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from fleet import redis_accounts
from fleet.options import REPOSITORY
from fleet.supervision import REDIS_CONF
from tests.redis_servers import RedisServer
from tests.redises import started
from tests.replicas import LIMIT

APP = REPOSITORY / "app"
LUA = re.compile(r'redis\.call\(\s*"([A-Z]+)"')
SENDERS = ("execute", "pack", "_ask", "_queue")
"""Functions that take a command, the word first."""
PASSWORD = "a-secret"  # noqa: S105 - of a server that a test starts
FORBIDDEN = [
    "FLUSHALL", "FLUSHDB", "SHUTDOWN NOSAVE", "CONFIG SET maxmemory 1", "CONFIG REWRITE", "REPLICAOF 192.0.2.7 6379",
    "ACL LIST", "ACL SETUSER app +@all", "CLIENT KILL TYPE normal", "CLIENT LIST", "MONITOR", "KEYS *", "SAVE",
    "BGREWRITEAOF", "SCRIPT FLUSH", "FUNCTION LIST", "MODULE LIST", "MIGRATE 192.0.2.7 6379 asgi__x 0 1",
    "APPEND asgi__x 1", "SLAVEOF NO ONE", "PSYNC ? -1", "LATENCY RESET", "SLOWLOG GET", "SWAPDB 0 1", "SELECT 1",
]  # fmt: skip
OTHERS = ["HGET sessions a", "DEL sessions", "XRANGE asgi - +", "LPUSH asgi_x 1", "PUBLISH other 1", "SUBSCRIBE other"]
"""Commands that it may say, of keys and channels that are not its own."""


def said_by_code():
    """Return the commands in the Lua scripts, and those that Python sends."""
    found = {name.lower() for path in APP.glob("fanout/**/*.lua") for name in LUA.findall(path.read_text())}
    for path in [*APP.glob("fanout/layers/*.py"), *APP.glob("ops/checks/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            words = [word.lower() for word in words if word.isupper() and word.isalpha()]
            if name in SENDERS and words:
                found.add("|".join(words) if words[0] == "config" else words[0])
    return found


def allowed():
    """Return the commands that stand in the file."""
    (line,) = [line for line in redis_accounts.FILE.read_text().splitlines() if line.startswith("user app ")]
    return {word.removeprefix("+") for word in line.split() if word.startswith("+")}


@pytest.fixture(scope="module")
def server():
    """A Redis whose application has a password."""
    with started(RedisServer) as made:
        made.cli.execute_command("ACL", "SETUSER", "app", "resetpass", f">{PASSWORD}")
        yield made


@pytest.fixture
def app(server):
    """A client with the application's rights."""
    with Redis(unix_socket_path=str(server.path), username="app", password=PASSWORD) as client:
        yield client


def test_the_application_may_say_what_its_code_says_and_no_more():
    """A command that the code needs from now on is added to deploy/redis.acl; one that it needs no more goes."""
    assert said_by_code() == allowed()


@pytest.mark.parametrize("command", FORBIDDEN)
def test_what_it_does_not_need_is_refused(app, command):
    """Whether it would read, drop, stop, reconfigure or carry away."""
    with pytest.raises(NoPermissionError):
        app.execute_command(*command.split(" "))


@pytest.mark.parametrize("command", OTHERS)
def test_what_is_others_is_refused(app, command):
    """A key or a channel of another program, also from inside a script."""
    words = command.split(" ")
    with pytest.raises(NoPermissionError):
        app.execute_command(*words)
    if words[0] != "SUBSCRIBE":
        calls = ", ".join(f"'{word}'" for word in words)
        with pytest.raises(RedisError, match=r"can't access|can't publish|ACL failure"):
            app.eval(f"return redis.call({calls})", 0)


def test_of_what_is_others_it_sees_the_names_and_no_more(server, app):
    """As deploy/redis.acl says: SCAN knows no rights to keys."""
    server.cli.execute_command("SET", "sessions-of-others", "secret")
    assert b"sessions-of-others" in set(app.scan_iter())
    for command in ("GET sessions-of-others", "TYPE sessions-of-others", "DUMP sessions-of-others"):
        with pytest.raises(NoPermissionError):
            app.execute_command(*command.split(" "))


def test_operators_end_a_script_that_has_no_end(server, app):
    """As deploy/redis.acl says: whoever may run scripts can hold Redis up, and can't keep operators from ending it."""
    server.cli.execute_command("CONFIG", "SET", "busy-reply-threshold", "10")
    app.connection_pool.connection_kwargs["socket_timeout"] = None
    with ThreadPoolExecutor() as pool:
        held = pool.submit(app.eval, "while true do end", 0)
        deadline = time.monotonic() + LIMIT
        while not held.done():
            assert time.monotonic() < deadline
            with contextlib.suppress(ResponseError):  # no script is running yet
                server.cli.execute_command("SCRIPT", "KILL")
    assert "killed" in str(held.exception()).lower()
    assert app.ping()


def test_without_its_password_nobody_is_the_application(server):
    """Where a network leads to Redis."""
    client = Redis(unix_socket_path=str(server.path), username="app", password=PASSWORD[:-1])
    with client, pytest.raises(AuthenticationError):
        client.ping()


def test_passwords_stand_hashed_in_the_accounts():
    """And only a fleet behind a socket of its own has none."""
    text = redis_accounts.render("a-secret", "another")
    assert "a-secret" not in text
    assert "another" not in text
    assert redis_accounts.NO_PASSWORD not in text
    assert redis_accounts.render().count(redis_accounts.NO_PASSWORD) == 2
    assert "@{" not in text


def test_a_pods_shell_fills_in_the_same(tmp_path):
    """What k8s/31-redis.yaml runs makes of the file what the fleet's program does."""
    script = (REPOSITORY / "k8s/31-redis.yaml").read_text().partition("- |\n")[2].partition("exec redis-server")[0]
    (tmp_path / "password").write_text("a-secret\n")
    (tmp_path / "operator_password").write_text("another")
    for there, here in (
        ("/run/secrets/fanout", tmp_path),
        ("/usr/local/etc/redis/users.acl", redis_accounts.FILE),
        ("/run/redis", tmp_path),
    ):
        script = script.replace(there, str(here))
    subprocess.run(["sh", "-ec", script], check=True)
    assert (tmp_path / "users.acl").read_text() == redis_accounts.render("a-secret", "another")


def test_redis_socket_is_for_its_account_and_group():
    """The folder above it is for its owner alone, so it needs no password."""
    assert "\nunixsocketperm 660\n" in REDIS_CONF.read_text()
