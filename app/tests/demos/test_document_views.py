"""The documents' pages and snapshots as the server sends them."""

import asyncio
import hashlib
import json
from base64 import b64encode
from contextlib import contextmanager

import pytest
from channels.layers import get_channel_layer
from django.core.management import CommandError, call_command
from django.db import connection

from demos.document import compaction, vendor
from demos.document.backlog import COMPACT_HERE
from demos.document.compaction import compact
from demos.document.merging import merged
from demos.document.policy import TEXT_LIMIT, UPDATE_LIMIT
from demos.document.snapshots import load
from demos.document.update import EMPTY
from fanout.history import History

from .edits import Writer, scribbles, text_of
from .test_chat_views import Markup, no_collected_files  # noqa: F401 - a fixture

SNAPSHOT = "/document/notes/snapshot"


async def publish(*updates):
    for update in updates:
        await get_channel_layer().append("document.notes", b'{"update":"%b"}' % b64encode(update), History())


@pytest.mark.usefixtures("memory_default_layer")
def test_the_addresses_lead_to_documents(client):
    """Without a name to the one of all, by the form to any; a bad name is told the rule."""
    assert client.get("/document/").headers["Location"] == "/document/welcome/"
    assert client.get("/document/open?document=+tea+").headers["Location"] == "/document/tea/"
    assert client.get("/document/open?document=").headers["Location"] == "/document/"
    response = client.get("/document/open?document=a+b")
    assert response.status_code == 404
    assert "[A-Za-z0-9_.-]{1,64}" in response.content.decode()


def test_the_page_knows_its_document_and_the_limits(client):
    """Where the snapshot is, and what the server takes at once."""
    markup = Markup(client.get("/document/tea/"))
    (body,) = markup.all("body")
    assert (body["data-name"], body["data-snapshot"]) == ("tea", "/document/tea/snapshot")
    assert body["data-update-limit"] == str(UPDATE_LIMIT)
    (field,) = markup.all("textarea")
    assert (field["maxlength"], "readonly" in field) == (str(TEXT_LIMIT), True)


def test_a_full_text_fits_into_one_change():
    """One undo may put back all of it, whatever script it is in."""
    assert len(Writer().write("漢" * TEXT_LIMIT)) < UPDATE_LIMIT


@pytest.mark.usefixtures("default_layer")
@pytest.mark.django_db(transaction=True)
class TestSnapshot:
    """`GET /document/<name>/snapshot`."""

    async def test_of_a_document_that_nobody_has_written_to_it_is_empty(self, async_client):
        """At the beginning of the stream; HEAD works, nothing is posted."""
        response = await async_client.get(SNAPSHOT)
        assert (response.content, response.headers["X-Position"]) == (EMPTY, "0:0")
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert (await async_client.head(SNAPSHOT)).status_code == 200
        assert (await async_client.post(SNAPSHOT)).status_code == 405

    async def test_it_is_what_was_saved_and_where(self, async_client):
        """What lies behind it in the stream makes it whole; a client that has it is told so."""
        said, text = scribbles(30)
        await publish(*said[:20])
        saved = await compact("notes")
        await publish(*said[20:])
        response = await async_client.get(SNAPSHOT)
        assert response.headers["X-Position"] == f"{saved.position.epoch}:20"
        assert text_of(response.content, *said[20:]) == text
        again = await async_client.get(SNAPSHOT, headers={"if-none-match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        await compact("notes")
        newer = await async_client.get(SNAPSHOT, headers={"if-none-match": response.headers["ETag"]})
        assert (newer.status_code, text_of(newer.content)) == (200, text)

    async def test_where_no_worker_is_it_is_written_for_who_asks(self, async_client):
        """A join gets at most so many changes one by one."""
        said, text = scribbles(COMPACT_HERE)
        await publish(*said[:-1])
        assert (await async_client.get(SNAPSHOT)).headers["X-Position"] == "0:0"
        await publish(said[-1])
        response = await async_client.get(SNAPSHOT)
        assert response.headers["X-Position"].endswith(f":{COMPACT_HERE}")
        assert text_of(response.content) == text

    async def test_many_who_come_at_once_have_it_written_once(self, async_client, monkeypatch):
        """All get the same, and the work is done by one."""
        said, text = scribbles(COMPACT_HERE)
        await publish(*said)
        merges = []
        monkeypatch.setattr(compaction, "merged", lambda *arguments: merges.append(1) or merged(*arguments))
        responses = await asyncio.gather(*(async_client.get(SNAPSHOT) for _ in range(20)))
        assert {text_of(response.content) for response in responses} == {text}
        assert len(merges) == 1

    async def test_nobody_is_sent_to_where_the_stream_cannot_go_on_from(self, async_client):
        """When the stream has forgotten the snapshot's position, the answer is at one that it knows."""
        said, text = scribbles(30)
        await publish(*said)
        await compact("notes")
        layer = get_channel_layer()
        if hasattr(layer, "_streams"):
            layer._streams.clear()
        else:
            redis = layer._get_layer()._shards[0].commands
            await redis.execute("DEL", *[f"{layer.prefix}__{each}__{{document.notes}}" for each in ("meta", "stream")])
        response = await async_client.get(SNAPSHOT)
        assert (response.headers["X-Position"], text_of(response.content)) == ("0:0", text)


@pytest.fixture
def without_table():
    """A database that fails: what it is asked for is not there."""

    def rename(one, other):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {one} RENAME TO {other}")

    @contextmanager
    def away():
        rename("document_snapshot", "away")
        try:
            yield
        finally:
            rename("away", "document_snapshot")

    return away


@pytest.mark.usefixtures("memory_default_layer")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_a_sentence(client, without_table):
    """503 as problem details, with the time to wait; no stack trace."""
    with without_table():
        response = client.get(SNAPSHOT)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "database does not answer" in response.json()["detail"]
    assert client.get(SNAPSHOT).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_while_redis_is_away_the_document_can_be_read(client, settings):
    """What was saved last."""
    hosts = {"hosts": ["unix:///nowhere.sock"]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.RedisChannelLayer", "CONFIG": hosts}}
    assert client.get(SNAPSHOT).content == load("notes").state == EMPTY


def test_the_third_party_script_is_what_it_says():
    """Name, version and checksum as they were recorded when it was made, and its licences beside it."""
    record = json.loads((vendor.VENDOR / vendor.RECORD).read_text())
    module = (vendor.VENDOR / vendor.MODULE).read_bytes()
    assert hashlib.sha256(module).hexdigest() == record["sha256"]
    assert f"/*! yjs {record['packages']['yjs']}, MIT licence".encode() == module[: module.index(b":")]
    licences = (vendor.VENDOR / vendor.LICENCES).read_text()
    locked = json.loads((vendor.NPM / "package-lock.json").read_text())["packages"]
    for name, version in record["packages"].items():
        assert locked[f"node_modules/{name}"]["version"] == version
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        assert f"{name} {version}\n\nThe MIT License" in licences
    assert record["made_by"] == f"esbuild {locked['node_modules/esbuild']['version']}"
    assert not [each for each in locked.values() if "resolved" in each]


def test_making_it_without_npm_is_a_sentence(monkeypatch):
    """It says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CommandError, match="npm is not installed"):
        call_command("vendor")
    with pytest.raises(CommandError, match="leave --newest out"):
        call_command("vendor", "--check", "--newest")
