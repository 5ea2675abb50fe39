"""The how-tos do what they say: a fresh project made of their blocks, and each block run."""

import re
import socket
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from websockets.sync.client import connect

from fanout import api, jobs, policy
from fanout.errors import BadData
from fanout.http.endpoints import route_of
from tests.communicators import WebsocketCommunicator
from tests.ports import a_free_port
from tests.redis_servers import eventually
from tests.replicas import APP, LIMIT, clean_environment, folder, start  # noqa: F401 - fixtures

FOLDER = APP / "fanout" / "howto"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\A# (\S+\.py)\n")
LAYER = "CHANNEL_LAYERS"


def blocks(name):
    """The blocks of Python of a how-to."""
    return PYTHON.findall((FOLDER / name).read_text(encoding="utf-8"))


def run(name, word, **names):
    """Run the only block with a word in it; return its names."""
    (block,) = [text for text in blocks(name) if word in text]
    exec(compile(block, name, "exec"), names)  # noqa: S102 - the project's own text
    return SimpleNamespace(**{key: value for key, value in names.items() if not key.startswith("__")})


# -- your first consumer -----------------------------------------------------------------------------------------


@pytest.fixture
def project(start):  # noqa: F811 - the fixture
    """A folder with the project of the how-to, and nothing else."""
    for block in blocks("first-consumer.md"):
        if match := NAMED.match(block):
            path = start.folder / match[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
    start.environment |= {"PYTHONPATH": str(APP)}
    return start


def test_its_own_test_passes_by_plain_pytest(project):
    """Without a server, Redis, a plugin or a setting."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    environment = {**project.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_runserver_serves_it(project):
    """A goal that a view tells reaches a WebSocket and an event stream, over the layer in memory."""
    port = a_free_port()
    server = project.process(sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    eventually(lambda: listens(port), "it listens", 60)
    with connect(f"ws://127.0.0.1:{port}/ws/final/", open_timeout=LIMIT) as client:
        told = httpx.get(f"http://127.0.0.1:{port}/goal/final/2/1/", timeout=LIMIT)
        assert told.json() == {"offset": 1}
        assert client.recv(timeout=LIMIT) == '{"home":2,"guests":1}'
    with httpx.stream("GET", f"http://127.0.0.1:{port}/events/score.final?last=1", timeout=LIMIT) as events:
        assert any('"data":{"home":2,"guests":1}' in line for line in events.iter_lines())
    assert "Traceback" not in server.log


def listens(port):
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", ["first-consumer.md", "from-channels-redis.md"])
def test_the_layer_of_the_setting_exists(name, settings):
    """And takes the options."""
    (block,) = [text for text in blocks(name) if LAYER in text and "RedisChannelLayer" in text]
    settings.CHANNEL_LAYERS = run(name, block).CHANNEL_LAYERS
    assert type(get_channel_layer()).__name__ == "RedisChannelLayer"


# -- work in the background --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("memory_default_layer")
def test_a_task_tells_what_was_committed_once(monkeypatch):
    """Nothing when it is rolled back; once when it is run again."""
    monkeypatch.setitem(policy._policies, "score", run("background-work.md", "archived=True").ScorePolicy())
    close_match = run("background-work.md", "close_match").close_match
    saved = []
    match = SimpleNamespace(pk=7, save=lambda: saved.append(1))

    def offset():
        return async_to_sync(get_channel_layer().top)("score.final").position.offset

    with transaction.atomic():
        close_match(match)
        transaction.set_rollback(True)
    assert (saved, offset()) == ([1], 0)
    close_match(match)
    close_match(match)
    assert (match.closed, offset()) == (True, 1)
    api._thread.close()


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_worker_of_channels_gets_its_message():
    """By `send`, from the channel's name; test_runworker.py has real workers, several, killed."""
    await run("background-work.md", "order_thumbnail").order_thumbnail("a.png")
    assert await get_channel_layer().receive("thumbnails") == {"type": "thumbnails.make", "image": "a.png"}


async def test_a_job_is_registered_as_shown(monkeypatch):
    """The worker can make it and run it."""
    monkeypatch.setattr(jobs, "_jobs", {})
    names = run("background-work.md", "close_old_matches")
    names.ScoresConfig.ready(None)
    job = jobs.registered()["old matches"]()
    assert job.every == 30
    await job.run()


def test_an_archive_is_one_word():
    """Of the policy's history; the address that the text names is there."""
    assert run("background-work.md", "archived=True").ScorePolicy.history.archived
    assert route_of("/history/score.final")


# -- moving here -------------------------------------------------------------------------------------------------


async def talked(one, other):
    """What two clients of two consumers hear of each other."""
    clients = [WebsocketCommunicator(consumer.as_asgi(), "/ws/") for consumer in (one, other)]
    heard = []
    for client in clients:
        assert (await client.connect(timeout=LIMIT))[0]
    for number, client in enumerate(clients):
        await client.send_json_to({"message": f"hi {number}"})
        heard += [await each.receive_json_from(timeout=LIMIT) for each in clients]
    for client in clients:
        await client.disconnect(timeout=LIMIT)
    return heard


async def test_the_consumer_before_and_after_are_the_same_to_clients(default_layer):
    """Each among its like sends the frames that the other does."""
    before = run("from-channels-redis.md", "AsyncJsonWebsocketConsumer").ChatConsumer
    after = run("from-channels-redis.md", "FanoutConsumer").HubConsumer
    expected = [{"message": "hi 0"}] * 2 + [{"message": "hi 1"}] * 2
    assert await talked(before, before) == await talked(after, after) == expected


async def test_both_hear_each_other_while_one_moves(default_layer):
    """A consumer that takes publications as events, and the hub's clients."""
    before = run("from-channels-redis.md", "AsyncJsonWebsocketConsumer").ChatConsumer
    after = run("from-channels-redis.md", "FanoutConsumer").HubConsumer

    class Moving(before):
        async def fanout_publication(self, event):
            await self.send_json(event["data"])

    assert await talked(Moving, after) == [{"message": "hi 0"}] * 2 + [{"message": "hi 1"}] * 2


async def test_the_room_of_the_other_world(monkeypatch):
    """Guests stay out, an account's name comes from the server, whatever the client says."""
    room = run("from-socketio-and-anycable.md", "RoomPolicy").RoomPolicy()
    guest, ada = {"user": AnonymousUser()}, {"user": User(username="ada")}
    assert not await room.may_join(guest, "room.tea")
    assert await room.may_join(ada, "room.tea")
    assert await room.accept(ada, "room.tea", {"text": "hi", "by": "eve"}) == {"text": "hi", "by": "ada"}
    with pytest.raises(BadData, match="Send"):
        await room.accept(ada, "room.tea", "hi")


def test_nothing_is_shown_that_nobody_runs():
    """Each block of Python is one that a test above picks."""
    counts = {path.name: len(blocks(path.name)) for path in FOLDER.glob("*.md")}
    assert counts == {
        "background-work.md": 4,
        "first-consumer.md": 7,
        "from-channels-redis.md": 3,
        "from-socketio-and-anycable.md": 1,
    }
