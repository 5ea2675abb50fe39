"""Snapshots: what they hold, who may die, and what happens where Redis has lost something."""

import asyncio
import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.core.management import CommandError, call_command
from django.test import AsyncClient

from demos.document import compaction
from demos.document.backlog import COMPACT_HERE, HISTORY
from demos.document.compaction import RESYNC, Compaction, Due, compact, compact_due, due, group_of
from demos.document.snapshots import BEGINNING, Saved, load, save
from demos.document.update import EMPTY
from fanout.errors import Unavailable
from fanout.history import History
from fanout.positions import Position
from fanout.publishing import default_layer
from tests.busy import slowed

from .edits import Writer, scribbles, text_of

pytestmark = pytest.mark.django_db(transaction=True)

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
AT_ONCE = 200
DEATHS = 50


async def publish(*updates, name="notes", history=HISTORY):
    """Append changes to a document's stream, as a replica does; return the last position."""
    layer = default_layer()
    for first in range(0, len(updates), AT_ONCE):
        datas = [b'{"update":"%b"}' % b64encode(update) for update in updates[first : first + AT_ONCE]]
        positions = await asyncio.gather(*(layer.append(group_of(name), data, history) for data in datas))
    return max(positions, key=lambda position: position.offset)


async def saved(name="notes"):
    """The snapshot in the database."""
    return await database_sync_to_async(load)(name)


async def stream(name="notes"):
    """What the document's stream holds."""
    layer = default_layer()
    top = (await layer.top(group_of(name))).position
    return [json.loads(each.data) for each in await layer.read(group_of(name), Position(top.epoch, 0), top.offset)]


@pytest.mark.usefixtures("default_layer")
async def test_a_snapshot_holds_all_up_to_its_position():
    """With what comes behind it, it makes the text; and again, however often."""
    said, text = scribbles(700)
    for first in range(0, 700, 300):
        position = await publish(*said[first : first + 300])
        snapshot = await compact("notes")
        assert snapshot == await saved()
        assert (snapshot.position, snapshot.waiting) == (position, ())
        assert text_of(snapshot.state, *said[first + 300 :]) == text
    assert snapshot.version == 3
    assert await compact("notes") == snapshot


@pytest.mark.usefixtures("default_layer")
async def test_a_document_that_nobody_has_written_to_needs_no_snapshot():
    """Its snapshot is the empty one at the beginning, and no row."""
    assert await compact("nothing") == Saved("nothing", EMPTY, (), BEGINNING, 0) == await saved("nothing")


@pytest.mark.usefixtures("default_layer")
async def test_what_is_due_is_what_no_snapshot_has():
    """The one that is furthest behind first; none when all are compacted."""
    said, _ = scribbles(9)
    await publish(*said[:3], name="a.b")
    await publish(*said, name="c")
    assert await due() == [Due("c", 9), Due("a.b", 3)]
    await compact("c")
    assert await due() == [Due("a.b", 3)]
    assert await compact_due() == 1
    assert await due() == []
    await publish(said[3], name="a.b")
    assert await due() == [Due("a.b", 1)]


@pytest.mark.usefixtures("redis_default_layer")
async def test_many_may_compact_at_once_while_others_write():
    """Each snapshot that is seen is a whole one, at its position; the last one has all."""
    said, text = scribbles(600)
    seen = []

    async def work():
        while not seen or seen[-1].position.offset < 600:
            seen.append(await compact("notes"))

    async def write():
        for first in range(0, 600, 20):
            await publish(*said[first : first + 20])

    async with asyncio.timeout(60):
        await asyncio.gather(write(), *(work() for _ in range(4)))
    assert text_of((await saved()).state) == text
    for snapshot in seen:
        assert text_of(snapshot.state, *said[snapshot.position.offset :]) == text


@pytest.mark.usefixtures("memory_default_layer")
async def test_of_two_that_write_a_version_one_wins():
    """The other is told, and nothing of the first is lost."""
    write = database_sync_to_async(save)
    one, other = (Saved("notes", state, (), Position("e", 1), 1) for state in (b"one", b"other"))
    assert await write(one)
    assert not await write(other)
    newer = Saved("notes", b"newer", (b"a", b"b"), Position("e", 2), 2)
    assert await write(newer)
    assert not await write(Saved("notes", b"late", (), Position("e", 2), 2))
    assert await saved() == newer


@pytest.mark.usefixtures("memory_default_layer")
async def test_who_dies_before_the_snapshot_is_written_has_done_nothing(monkeypatch):
    """Cancelled at any of its steps: the row is the old one, and the next one makes the new one."""
    said, text = scribbles(30)
    await publish(*said[:10])
    before = await compact("notes")
    await publish(*said[10:])
    steps = 0
    while True:
        task = asyncio.create_task(compact("notes"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await saved()) == before or text_of((await saved()).state) == text
        steps += 1
        if steps > 2000:
            break
    await compact("notes")
    assert text_of((await saved()).state) == text


@pytest.mark.usefixtures("redis_default_layer")
async def test_a_redis_that_forgot_everything_takes_nothing_from_the_document(request):
    """The snapshot is there, at the new stream's beginning; pages are told to say again what it lacks."""
    said, text = scribbles(40)
    await publish(*said)
    before = await compact("notes")
    request.getfixturevalue("redis_server").cli.delete(
        *[f"{default_layer().prefix}__{kind}__{{document.notes}}" for kind in ("meta", "stream")]
    )
    after = await compact("notes")
    assert (text_of(after.state), after.position) == (text, BEGINNING)
    assert await stream() == [RESYNC]
    writer = Writer().hear(before.state)
    await publish(writer.write("!", 0))
    assert text_of((await compact("notes")).state) == "!" + text
    assert await due() == []


@pytest.mark.fault
async def test_what_a_failover_lost_is_in_the_snapshot_and_is_told(own_pair, settings, layer_prefix):
    """Acknowledged changes that the new master lacks survive; pages that have never heard them are told."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "fanout.layers.RedisChannelLayer",
            "CONFIG": {"hosts": [own_pair.url], "prefix": layer_prefix},
        }
    }
    said, text = scribbles(40)
    await publish(*said[:30])
    own_pair.cut()
    await publish(*said[30:])
    before = await compact("notes")
    assert text_of(before.state) == text
    own_pair.hand_over()
    async with asyncio.timeout(30):
        while True:
            try:
                after = await compact("notes")
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                break
    assert text_of(after.state) == text
    assert after.position.offset == 30
    assert (await stream())[30:] == [RESYNC]
    assert await compact_due() == 1
    assert await due() == []


@pytest.mark.usefixtures("default_layer")
async def test_what_was_trimmed_before_it_was_saved_is_asked_of_the_pages(caplog):
    """It is an error in the log; what there is is kept, and whole when a page says the rest again."""
    said, text = scribbles(60)
    await publish(*said, history=History(size=20))
    snapshot = await compact("notes")
    assert len(snapshot.waiting) == 20
    assert text_of(snapshot.update, *said) == text
    assert "40 changes of document.notes were trimmed" in caplog.text
    assert (await stream())[-1] == RESYNC
    await publish(*said[:40])
    snapshot = await compact("notes")
    assert (text_of(snapshot.state), snapshot.waiting) == (text, ())


@pytest.mark.usefixtures("memory_default_layer")
async def test_one_that_fails_keeps_none_of_the_others():
    """The others are written, the error is raised, and the job says since when; then that all is well."""
    said, text = scribbles(9)
    for name in ("bad", "good"):
        await publish(*said, name=name)
    job = Compaction()
    broken = Saved("bad", b"no state", (), BEGINNING, 1)
    await database_sync_to_async(save)(broken)
    with pytest.raises(ValueError, match="update"):
        await job.run()
    assert text_of((await saved("good")).state) == text
    assert await saved("bad") == broken
    assert job.status()["lag"] >= 0
    await database_sync_to_async(save)(Saved("bad", EMPTY, (), BEGINNING, 2))
    await job.run()
    assert (job.status(), text_of((await saved("bad")).state)) == ({"written": 1, "lag": 0.0}, text)


@pytest.mark.slow
@pytest.mark.fault
def test_workers_may_be_killed_at_any_point(redis_server, tmp_path):
    """Processes that compact are killed again and again while others write: the snapshot stays valid, and has all."""
    environment = {
        **os.environ,
        "FANOUT_STATE_DIR": str(tmp_path),
        "FANOUT_REDIS_URLS": redis_server.url,
        "FANOUT_SECRET_KEY": "x" * 50,
        "NAME": f"killed-{os.getpid()}",
        "SAID": str(tmp_path / "said"),
    }

    def run(*words):
        command = [sys.executable, MANAGE, *words]
        return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=100).stdout

    run("migrate", "--no-input", "--verbosity", "0")
    said, text = scribbles(1500)
    (tmp_path / "said").write_text("\n".join(b64encode(each).decode() for each in said))
    writing = subprocess.Popen([sys.executable, MANAGE, "shell", "-v", "0", "-c", WRITE], env=environment)
    try:
        versions = [int(line) for line in run("shell", "-v", "0", "-c", KILL).split()]
        assert writing.wait(60) == 0
    finally:
        writing.kill()
        writing.wait()
    assert len(versions) >= DEATHS
    assert versions == sorted(versions)
    assert versions[-1] > DEATHS // 10  # some have died after some work, others within it
    assert b"bytes at" in run("compact", environment["NAME"])
    assert text_of(run("shell", "-v", "0", "-c", READ)) == text


WRITE = """
import asyncio, os, pathlib
from demos.document.backlog import COMPACT_HERE, HISTORY, admit
from fanout.publishing import default_layer
async def write():
    for update in pathlib.Path(os.environ["SAID"]).read_text().split():
        await admit(os.environ["NAME"], 100)
        data = b'{"update":"%b"}' % update.encode()
        await default_layer().append("document." + os.environ["NAME"], data, HISTORY)
        await asyncio.sleep(0.002)
asyncio.run(write())
"""
KILL = """
import asyncio, os, random, signal, time
from django.db import connection
from demos.document.compaction import compact
from demos.document.snapshots import load
async def work():
    while True:
        await compact(os.environ["NAME"])
deaths, version, end = 0, 0, time.monotonic() + 60
while deaths < 50 or (version <= 5 and time.monotonic() < end):  # on a busy machine most die before they have begun
    connection.close()
    if (child := os.fork()) == 0:
        asyncio.run(work())
    time.sleep(random.uniform(0.02, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    deaths, version = deaths + 1, load(os.environ["NAME"]).version
    print(version)
"""
READ = """
import os, sys
from demos.document.snapshots import load
saved = load(os.environ["NAME"])
assert not saved.waiting and saved.position.offset == 1500, saved.position
sys.stdout.buffer.write(saved.state)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("redis_default_layer")
async def test_a_document_of_100_000_edits_is_joined_in_a_second():
    """Snapshot from the view, tail from the stream, merged into a text: what a page does, on the real Redis."""
    said = [change for writer in range(20) for change in scribbles(5000, writer)[0]]
    for first in range(0, 99_000, 900):
        await publish(*said[first : min(first + 900, 99_000)])
        await compact("notes")
    await publish(said[99_000])
    await compact("notes")
    position = await publish(*said[99_001:])
    took = []
    for _ in range(5):  # the machine may be busy
        began = time.perf_counter()
        response = await AsyncClient().get("/document/notes/snapshot")
        epoch, _, offset = response.headers["X-Position"].partition(":")
        layer, at = default_layer(), Position(epoch, int(offset))
        writer = Writer().hear(response.content)
        while at != position:
            read = await layer.read("document.notes", at, position.offset)
            writer.hear(*map(compaction.change_of, read))
            at = read[-1].position
        took.append(time.perf_counter() - began)
        assert position.offset - int(offset) == COMPACT_HERE - 1  # the longest tail that is left to a page
    assert str(writer) == text_of(*said)
    assert min(took) < slowed(), took


@pytest.mark.usefixtures("memory_default_layer")
class TestCommand:
    """`manage.py compact`."""

    def test_it_says_what_it_did(self, capsys):
        """Of one document its size and position, of all how many."""
        call_command("compact", "nothing")
        call_command("compact")
        assert capsys.readouterr().out.splitlines() == ["nothing: 2 bytes at 0:0.", "0 snapshots written."]

    def test_what_it_cannot_do_is_a_sentence(self, settings):
        """Names that are none, options that do not fit, a Redis that is away."""
        for arguments, words in ((["a b"], "no document's name"), (["a", "--watch"], "leave the names out")):
            with pytest.raises(CommandError, match=words):
                call_command("compact", *arguments)
        hosts = {"hosts": ["unix:///nowhere.sock"]}
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.RedisChannelLayer", "CONFIG": hosts}}
        with pytest.raises(CommandError, match="Redis"):
            call_command("compact")
