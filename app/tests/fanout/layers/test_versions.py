"""Old and new replicas side by side: what travels through Redis is understood, or left out with a warning.

`deploy/decisions/0003-what-replicas-say-to-each-other.md` is the rule.
"""

import asyncio
import json
import os
import subprocess
import sys
import tarfile

import msgpack
import pytest

from fanout.durable.feed import TRIMMED
from fanout.history import History
from fanout.hub import Hub
from fanout.layers import envelope
from fanout.positions import Position
from tests.fanout.clients import Client, publish
from tests.replicas import APP, GUARD

OLD = "e8ea84b880e2"
"""The commit whose layer the new one has to live with: what runs before the deploy. Move it with each release."""
SECONDS = 40
COUNT = 100
RECORDED = json.loads((APP / "tests" / "data" / "wire-1.json").read_text(encoding="utf-8"))
GROUP = RECORDED["group"]


def raw(text):
    """The bytes of a recorded text: one character each."""
    return text.encode("latin1")


@pytest.fixture
def filled(own_redis):
    """A Redis as the recorded version left it."""
    for key, fields in RECORDED["hashes"].items():
        own_redis.cli.hset(raw(key), mapping={raw(name): raw(value) for name, value in fields.items()})
    for key, entries in RECORDED["streams"].items():
        for name, fields in entries:
            own_redis.cli.xadd(raw(key), {raw(field): raw(value) for field, value in fields.items()}, id=name)
    return own_redis


@pytest.fixture
def layer(redis_layer, filled):
    return redis_layer(hosts=[filled.operators_url], prefix=RECORDED["prefix"])


DATA = [b'{"message":"one"}', '{"message":"zwei ü"}'.encode(), b'{"message":"three"}']


class TestRecorded:
    """What version 1 wrote, byte for byte."""

    async def test_its_streams_are_read_and_gone_on_with(self, layer):
        """Its positions recover, its offsets go on, its keys are known."""
        old = Position(RECORDED["hashes"][f"wire-__meta__{{{GROUP}}}"]["epoch"], 1)
        top = await layer.top(GROUP)
        assert (top.position.offset, top.translate(old)) == (3, 1)
        assert [each.data for each in await layer.read(GROUP, Position(top.position.epoch, 0), 3)] == DATA
        assert await layer.append(GROUP, DATA[0], History(), "key-1") == old
        assert (await layer.append(GROUP, b"4", History())).offset == 4

    async def test_its_messages_are_delivered(self, layer, filled, tools):
        """Publications with and without a position, and events of group_send."""
        inbox = tools.Inbox()
        await layer.subscribe(GROUP, inbox)
        for channel, payload in RECORDED["messages"]:
            assert filled.cli.publish(raw(channel), raw(payload)) == 1
        got = [await inbox.next() for _ in RECORDED["messages"]]
        assert [each.data for each in got] == [b'{"message":"ephemeral"}', *DATA, b'{"message":"event"}']
        assert [each.position and each.position.offset for each in got] == [None, 1, 2, 3, None]

    async def test_it_understands_what_is_written_now(self, layer, filled, tools):
        """All that version 1 looks at is where it was; this is its reading, frozen."""
        with filled.cli.pubsub() as listening:
            listening.subscribe(f"wire-__group__{{{GROUP}}}")
            assert listening.get_message(timeout=5)["type"] == "subscribe"
            position = await layer.append(GROUP, b"4", History(), "key-4")
            await layer.publish(GROUP, b"5")
            durable, ephemeral = (listening.get_message(timeout=5)["data"] for _ in range(2))
        assert durable[:2] == b"\xc1\x02"
        epoch, offset, body = durable[2:].split(b":", 2)
        assert (epoch.decode(), int(offset), msgpack.unpackb(body)[1]) == (position.epoch, position.offset, b"4")
        assert ephemeral[:2] == b"\xc1\x01"
        assert msgpack.unpackb(ephemeral[2:])[1] == b"5"
        meta = filled.cli.hgetall(f"wire-__meta__{{{GROUP}}}")
        assert (meta[b"epoch"].decode(), int(meta[b"offset"])) == (position.epoch, position.offset)
        assert meta[b"replid"].decode() == filled.cli.info("replication")["master_replid"]
        assert meta[b"past"].startswith(raw(RECORDED["hashes"][f"wire-__meta__{{{GROUP}}}"]["epoch"]) + b":3")
        ((name, fields),) = filled.cli.xrevrange(f"wire-__stream__{{{GROUP}}}", count=1)
        assert (name, msgpack.unpackb(fields[b"b"])[1]) == (b"4-0", b"4")
        assert fields[b"t"].isdigit()
        key = filled.cli.hgetall(f"wire-__key__{{{GROUP}}}key-4")
        assert (key[b"epoch"], key[b"offset"], len(key[b"digest"])) == (meta[b"epoch"], b"4", 32)


@pytest.mark.usefixtures("policies")
class TestFuture:
    """What a newer version may write while this one still runs."""

    async def test_more_fields_change_nothing(self, redis_layer, own_redis):
        """Fields that this version does not know stay where they are, and positions hold."""
        layer = redis_layer(own_redis, prefix="asgi")
        hub, client = Hub(layer), Client()
        await client.join(hub, "kept.a")
        await publish(hub, "kept.a", [1])
        own_redis.cli.hset("asgi__meta__{kept.a}", "future", "x")
        own_redis.cli.xadd("asgi__stream__{kept.a}", {"v": "3", **self._body(own_redis), "z": "b"}, id="2-0")
        own_redis.cli.hset("asgi__meta__{kept.a}", "offset", 2)
        await publish(hub, "kept.a", [3])
        await client.until(3)
        assert client.told == [1, 1, 3]
        assert own_redis.cli.hget("asgi__meta__{kept.a}", "future") == b"x"

    @staticmethod
    def _body(redis):
        ((_, fields),) = redis.cli.xrange("asgi__stream__{kept.a}")
        return fields

    async def test_a_publication_in_another_envelope_is_filled_from_the_stream(self, redis_layer, own_redis, caplog):
        """Live it is left out with a warning; the hole that it leaves is filled, so that nothing is lost."""
        layer = redis_layer(own_redis, prefix="asgi")
        hub, client = Hub(layer), Client()
        await client.join(hub, "kept.a")
        position = await layer._get_layer().streams.append("kept.a", b"asgi__nowhere", b"1", History(), None)
        future = envelope.MARKER + b"\x09" + f"{position.epoch}:1:in a way of its own".encode()
        own_redis.cli.publish("asgi__group__{kept.a}", future)
        await publish(hub, "kept.a", [2])
        await client.until(2)
        assert client.told == [1, 2]
        assert "in version 9: a newer replica wrote it; finish the deploy" in caplog.text

    async def test_an_entry_that_cannot_be_read_is_a_reset(self, redis_layer, own_redis, caplog):
        """A stream's entry without the known body is left out with a warning, never silently: clients are told."""
        layer = redis_layer(own_redis, prefix="asgi")
        hub, client = Hub(layer), Client()
        await client.join(hub, "kept.a")
        await publish(hub, "kept.a", [1])
        await client.until(1)
        own_redis.cli.xadd("asgi__stream__{kept.a}", {"t": "1", "b3": "in a way of its own"}, id="2-0")
        own_redis.cli.hset("asgi__meta__{kept.a}", "offset", 2)
        await client.told_reset()
        await publish(hub, "kept.a", [3])
        await client.heard(3)
        assert client.told == [1, "reset", 3]
        assert client.reason == TRIMMED
        (line,) = {record.getMessage() for record in caplog.records if record.name == "fanout.layers.streams"}
        assert line == "left out 2 of kept.a: a newer replica wrote it in a way of its own; finish the deploy"

    async def test_a_general_channel_of_another_version_is_another_queue(self, redis_server, redis_layer, tools):
        """A worker does not take what it can't read: it waits for one that can."""
        layer = redis_layer(redis_server)
        future = f"{layer._get_layer().prefix}__queue2__{{thumbnails}}"
        redis_server.cli.rpush(future, "in a way of its own")
        await layer.send("thumbnails", {"type": "make"})
        assert await tools.receive(layer, "thumbnails") == {"type": "make"}
        assert redis_server.cli.llen(future) == 1
        redis_server.cli.delete(future)


@pytest.fixture
def old_code(tmp_path):
    """The folder of the old version's `fanout`, from the repository's history."""
    archive = tmp_path / "old.tar"
    with archive.open("wb") as file:
        command = ["git", "-C", APP.parent, "archive", OLD, "app/fanout"]
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        pytest.skip(f"the history of this clone does not reach back to {OLD}: TestRecorded holds what it wrote")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path)  # noqa: S202 - our own history; Python before 3.11.4 has no filters
    return tmp_path / "app"


async def side(path, redis, prefix, name):
    """Start one of the two and wait until it has joined."""
    process = await asyncio.create_subprocess_exec(
        *GUARD, sys.executable, APP / "tests" / "data" / "side_by_side.py", redis.url, prefix, name, str(COUNT),
        env={**os.environ, "PYTHONPATH": str(path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_an_old_and_a_new_replica_are_one_fleet(old_code, redis_server, layer_prefix):
    """Real processes of both versions publish at once: both hear and read the same, each publication once, in order."""
    async with asyncio.timeout(SECONDS):
        sides = [await side(path, redis_server, layer_prefix, name) for name, path in (("old", old_code), ("new", APP))]
        answers = await asyncio.gather(*(process.communicate(b"go\n") for process in sides))
    old, new = (json.loads(out) for out, _ in answers)
    assert [process.returncode for process in sides] == [0, 0]
    assert old["durable"] == new["durable"] == old["read"] == new["read"]
    assert [offset for _, offset, _ in old["durable"]] == list(range(1, 3 * COUNT + 3))
    numbers = {name: [data[1] for _, _, data in new["durable"] if data[0] == name] for name in ("old", "new", "both")}
    assert numbers == {name: list(range(COUNT)) for name in ("old", "new", "both")}
    for heard in (old, new):
        assert len(heard["ephemeral"]) == 4 * COUNT
        for name in ("old", "new"):
            publications = [each[1] for each in heard["ephemeral"] if isinstance(each, list) and each[0] == name]
            events = [each["number"] for each in heard["events"] if each.get("from") == name]
            assert publications == events == list(range(COUNT))


def test_the_rule_is_written_down():
    """The version numbers of the code stand in the decision note."""
    note = APP.parent / "deploy" / "decisions" / "0003-what-replicas-say-to-each-other.md"
    text = note.read_text(encoding="utf-8")
    assert f"`{envelope.VERSION}`" in text
    assert f"`{envelope.DURABLE}`" in text
