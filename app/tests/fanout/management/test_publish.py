"""`manage.py publish` as a shell runs it, on a real Redis."""

import asyncio
import json
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from fanout.layers import RedisChannelLayer
from tests.replicas import APP, LIMIT, clean_environment


def publish(*arguments, redis=None, text=None):
    """Run the command; return its exit code and what it said."""
    environment = clean_environment(**({"FANOUT_REDIS_URLS": redis.url} if redis else {}))
    done = subprocess.run(
        [sys.executable, "manage.py", "publish", *arguments], cwd=APP, env=environment, input=text, check=False,
        capture_output=True, timeout=LIMIT,
    )  # fmt: skip
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode().strip()


def stream_of(redis, group):
    """The position of a durable group, and the data of its publications."""

    async def read():
        layer = RedisChannelLayer(hosts=[redis.url])
        top = await layer.top(group)
        publications = await layer.read(group, type(top.position)(top.position.epoch, 0), top.position.offset)
        await layer.flush()
        return top.position, [json.loads(publication.data) for publication in publications]

    return asyncio.run(read())


def test_a_durable_publication_prints_its_position(own_redis):
    """From an argument, from standard input, with `-` and without; each is in the stream behind the others."""
    said = [
        publish("chat.a", '{"message": "one"}', redis=own_redis),
        publish("chat.a", redis=own_redis, text=b'{"message": "two"}\n'),
        publish("chat.a", "-", redis=own_redis, text='{"message": "thr\u00e9\u00e9"}'.encode()),
        publish("chat.a", "-5.5", redis=own_redis),
    ]
    position, data = stream_of(own_redis, "chat.a")
    assert said == [(0, f"{position.epoch}:{offset}", "") for offset in (1, 2, 3, 4)]
    assert data == [{"message": "one"}, {"message": "two"}, {"message": "thr\u00e9\u00e9"}, -5.5]


def test_an_ephemeral_publication_says_so(own_redis):
    """There is no position to print."""
    assert publish("passing.a", "1", redis=own_redis) == (0, "published (ephemeral)", "")


def test_a_key_is_one_publication(own_redis):
    """A repeat prints the first one's position; other data is refused."""
    first = publish("chat.a", "1", "--key", "k", redis=own_redis)
    assert first == publish("chat.a", "1", "--key", "k", redis=own_redis)
    code, out, err = publish("chat.a", "2", "--key", "k", redis=own_redis)
    assert (code, out) == (1, "")
    assert err == "CommandError: This key was used with other data in the last five minutes: choose a new one."
    assert stream_of(own_redis, "chat.a")[1] == [1]


@pytest.mark.parametrize(("arguments", "text", "sentence"), [
    (("chat.a", "{message: hi}"), None, "DATA is not JSON: "),
    (("chat.a",), b'"\xff"', "DATA is not JSON: "),
    (("no room", "1"), None, "The group name must be 1 to 99 of letters"),
])  # fmt: skip
def test_bad_input_is_a_sentence(own_redis, arguments, text, sentence):
    """Exit code 1, one line, no traceback, nothing published."""
    code, out, err = publish(*arguments, redis=own_redis, text=text)
    assert (code, out) == (1, "")
    assert err.startswith(f"CommandError: {sentence}")
    assert len(err.splitlines()) == 1
    assert stream_of(own_redis, "chat.a")[1] == []


@pytest.mark.parametrize("data", ["", "NaN", "1e999", "[" * 100_000, "'hi'"])
def test_what_is_not_json_is_refused(redis_default_layer, data):
    """Whatever other languages take for it."""
    with pytest.raises(CommandError, match=r"DATA is not JSON: .*needs quotes of its own"):
        call_command("publish", "chat.a", data)


def test_a_key_has_a_limit(redis_default_layer):
    """As on the wire."""
    with pytest.raises(CommandError, match="1 to 64 characters, not 65"):
        call_command("publish", "chat.a", "1", key="k" * 65)


def test_a_dead_redis_is_a_sentence(own_redis):
    """It says that Redis can't be reached and what to do."""
    own_redis.kill()
    code, out, err = publish("chat.a", "1", redis=own_redis)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "Redis can't be reached" in err
    assert "try again" in err


def test_a_layer_in_memory_is_refused():
    """Nobody would hear what this process says to itself."""
    code, out, err = publish("chat.a", "1")
    assert (code, out, err) == (
        1, "", "CommandError: The channel layer is in memory: no other process would hear this.",
    )  # fmt: skip
