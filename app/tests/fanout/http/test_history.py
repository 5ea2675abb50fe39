"""`GET /history/<group>`: stream and archive read as one, whatever the stream has forgotten."""

import asyncio
import contextlib
import json
import sqlite3
import sys

import pytest

from demos.chat.policy import ChatPolicy
from fanout.durable.older import ANSWER_LIMIT
from fanout.history import History
from fanout.http.history import PAGE_LIMIT
from fanout.layers import RedisChannelLayer
from fleet.unix import get_json
from tests.redis_servers import RedisServer, eventually
from tests.redises import started
from tests.replicas import APP, Starter, a_folder

from .conftest import client_of

KEPT = 30
SHORT = History(size=KEPT, age=3600, archived=True)


def has_copied_all(status):
    """Whether a worker has nothing to copy; not, as long as it does not answer."""
    return status is not None and status["jobs"]["archive"]["groups_waiting"] == 0


class Fleet:
    """A replica and, when a test wants it, a worker; one Redis, one database."""

    def __init__(self, starter, redis):
        self.redis = redis
        self._starter = starter
        starter.environment |= {"FANOUT_REDIS_URLS": redis.url}
        assert self._manage("migrate", "--verbosity", "0").wait() == 0
        self.replica = starter.replica()
        self.database = starter.folder / "db.sqlite3"

    def _manage(self, *arguments, **variables):
        return self._starter.process(sys.executable, APP / "manage.py", *arguments, environment=variables)

    @contextlib.contextmanager
    def worker(self, **variables):
        """A worker that has copied all there was when it is stopped."""
        path = self._starter.folder / "worker.sock"
        worker = self._manage("worker", "--socket", path, **variables)
        try:
            eventually(lambda: (get_json(path, "/readyz") or {}).get("status") == "ready", "the worker is ready")
            yield
            eventually(lambda: has_copied_all(get_json(path, "/readyz")), "all is copied")
        finally:
            worker.stop()


@pytest.fixture(scope="module")
def served():
    """One for all tests; each has groups of its own."""
    with started(RedisServer) as redis, a_folder() as folder, contextlib.closing(Starter(folder)) as starter:
        yield Fleet(starter, redis)


@pytest.fixture
async def layer(served):
    layer = RedisChannelLayer(hosts=[served.redis.url])
    yield layer
    await layer.flush()


@pytest.fixture
async def http(served):
    async with client_of(served.replica) as client:
        yield client


async def publish(layer, group, numbers, history=SHORT, size=0):
    """Publish numbers, each with so many bytes of ballast."""
    return [
        await layer.append(group, json.dumps({"message": number, "x": "x" * size}).encode(), history)
        for number in numbers
    ]


async def page(http, group, **query):
    """The messages of one answer, and the position before which the next one begins."""
    answer = await http.get(f"/history/{group}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["group"] == group
    found = answer.json()["publications"]
    assert [each["group"] for each in found] == [group] * len(found)
    before = f"{found[0]['epoch']}:{found[0]['offset']}" if found else None
    return [each["data"]["message"] for each in found], before


async def all_pages(http, group, last):
    """Everything, read back from the newest as a page does; and how many answers that took."""
    read, count = [], 0
    messages, before = await page(http, group, last=last)
    while messages:
        read = messages + read
        count += 1
        messages, before = await page(http, group, last=last, before=before)
    return read, count


async def test_it_goes_back_past_the_end_of_the_stream(served, http, layer, group):
    """What the archive alone has, what both have and what the stream alone has are one history, once each, in order."""
    with served.worker():
        await publish(layer, group, range(100))
    await publish(layer, group, range(100, 110))  # nobody archives these, and they push out what was
    assert served.redis.cli.xlen(f"asgi__stream__{{{group}}}") == KEPT
    for last in (7, 10, 30, 200):
        read, count = await all_pages(http, group, last)
        assert read == list(range(110)), f"by {last}"
        assert count <= 110 // last + 3


async def test_it_begins_where_a_page_asks_it_to(served, http, layer, group):
    """Before a position of the stream, of the archive, and of the seam."""
    with served.worker():
        positions = await publish(layer, group, range(60))
    positions += await publish(layer, group, range(60, 65))
    for offset in (1, 2, 20, 30, 31, 34, 35, 36, 60, 61, 65):
        at = positions[offset - 1]
        messages, _ = await page(http, group, last=5, before=f"{at.epoch}:{at.offset}")
        assert messages == list(range(offset - 1))[-len(messages) or offset :]
        assert bool(messages) == (offset > 1)


async def test_a_history_outlives_its_redis(served, http, layer, group):
    """When Redis has forgotten all, what was archived is still there, before what is published from then on."""
    with served.worker():
        await publish(layer, group, range(5))
    served.redis.cli.flushall()
    assert (await page(http, group))[0] == list(range(5))
    await publish(layer, group, range(5, 8))
    assert (await all_pages(http, group, 50))[0] == list(range(8))
    with served.worker():
        await publish(layer, group, range(8, 10))
    assert (await all_pages(http, group, 4))[0] == list(range(10))


async def test_it_says_where_it_ends(served, http, layer, group):
    """At the beginning of all, or of what is kept: what the archive has deleted, the stream may still have."""
    assert await ending(http, group) == (0, False)
    with served.worker():
        positions = await publish(layer, group, range(60))
    assert await ending(http, group) == (60, False)
    positions += await publish(layer, group, [60])  # nobody archives this, and it pushes out what was
    for through in (40, 60):
        age(served, group, through)
        with served.worker(FANOUT_ARCHIVE_DAYS="365"):
            await asyncio.to_thread(eventually, lambda until=through: oldest(served, group) > until, "they are deleted")
        assert await ending(http, group) == (KEPT, True)
        for position in positions[: 61 - KEPT]:
            assert (await page(http, group, before=f"{position.epoch}:{position.offset}"))[0] == []
    assert (await all_pages(http, group, 7))[0] == list(range(61 - KEPT, 61))


async def test_a_new_epoch_does_not_hide_where_it_ends(served, http, layer, group):
    """Rows of an epoch that is newer than a deleted position do not come before it."""
    with served.worker():
        old = await publish(layer, group, range(5))
    served.redis.cli.flushall()
    with served.worker():
        await publish(layer, group, range(5, 45))
    await publish(layer, group, [45])  # nobody archives this, and it pushes out what was
    age(served, group, 10)
    with served.worker(FANOUT_ARCHIVE_DAYS="365"):
        await asyncio.to_thread(eventually, lambda: oldest(served, group) > 10, "they are deleted")
    assert (await all_pages(http, group, 10))[0] == list(range(10, 46))
    answer = await http.get(f"/history/{group}", params={"before": f"{old[3].epoch}:{old[3].offset}"})
    assert answer.status_code in (200, 404)
    assert answer.json().get("publications", []) == []


async def ending(http, group):
    """How many there are, and whether there were more."""
    count, before, answer = 0, {}, None
    while answer is None or answer["publications"]:
        answer = (await http.get(f"/history/{group}", params={"last": 25, **before})).json()
        if found := answer["publications"]:
            count += len(found)
            before = {"before": f"{found[0]['epoch']}:{found[0]['offset']}"}
            assert answer["forgotten"] is False
    return count, answer["forgotten"]


def execute(served, sql, *values):
    with contextlib.closing(sqlite3.connect(served.database, timeout=20)) as connection, connection:
        return connection.execute(sql, values).fetchone()


def age(served, group, through):
    """Have the first rows of a group been archived long ago."""
    when = "2001-01-01 00:00:00"
    table = "fanout_archive_archivedpublication"
    execute(served, f'UPDATE {table} SET archived_at = ? WHERE "group" = ? AND number <= ?', when, group, through)  # noqa: S608 - ours


def oldest(served, group):
    """Number of the first row that is kept."""
    return execute(served, 'SELECT kept_from FROM fanout_archive_progress WHERE "group" = ?', group)[0]


async def test_large_ones_come_in_portions(served, http, layer, group):
    """An answer is bounded in bytes, from the stream and from the archive, and nothing is left out."""
    size = ANSWER_LIMIT // 5
    await publish(layer, group, range(8), size=size)
    messages, _ = await page(http, group)
    assert messages == [4, 5, 6, 7]
    with served.worker():
        await publish(layer, group, range(8, 40), size=1)
    read, count = await all_pages(http, group, 50)
    assert read == list(range(40))
    assert count >= 3


async def test_a_kind_without_an_archive_has_what_its_stream_has(http, layer, group):
    """No table is asked."""
    await publish(layer, "gems.x" + group[5:], range(3), History(size=2))
    assert (await all_pages(http, "gems.x" + group[5:], 50))[0] == [1, 2]


async def test_an_empty_group_has_an_empty_history(http, group):
    """That is no error."""
    assert await page(http, group) == ([], None)


@pytest.mark.parametrize(("path", "status", "code", "sentence"), [
    ("chat.a?before=x", 400, "bad_frame", "A position is <epoch>:<offset>"),
    ("chat.a?last=0", 400, "bad_frame", f"`last` must be a number from 1 to {PAGE_LIMIT}, not '0'."),
    ("chat.a?last=201", 400, "bad_frame", "not '201'"),
    ("chat.a?before=f00:1", 404, "not_found", "f00:1 is no position of chat.a that is known here"),
    ("game.main", 400, "bad_group", "game.main is ephemeral: it has no history."),
    ("secret.a", 403, "forbidden", "You may not join secret.a."),
    ("no%20group", 400, "bad_group", "The group name must be"),
    ("", 400, "bad_group", "The group name must be"),
])  # fmt: skip
async def test_refusals_say_what_is_wrong(http, path, status, code, sentence):
    """By a status, a code and a sentence."""
    answer = await http.get(f"/history/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sentence in answer.json()["detail"]
    assert (await http.post(f"/history/{path}")).status_code == 405


async def test_without_redis_the_archive_answers_what_it_can(crashing):
    """What is archived is read on; where the newest is asked for, it is told to try again."""
    served, layer, http = crashing
    with served.worker():
        positions = await publish(layer, "chat.a", range(10))
    await asyncio.to_thread(served.redis.kill)
    assert (await page(http, "chat.a", before=f"{positions[5].epoch}:6"))[0] == list(range(5))
    answer = await http.get("/history/chat.a")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.fixture
async def crashing(own_redis, start):
    """A fleet of its own, whose Redis a test may kill."""
    served = Fleet(start, own_redis)
    layer = RedisChannelLayer(hosts=[own_redis.url])
    async with client_of(served.replica) as client:
        yield served, layer, client
    await layer.flush()


def test_the_chat_has_an_archive():
    """It is the kind that these tests speak of."""
    assert ChatPolicy.history.archived
