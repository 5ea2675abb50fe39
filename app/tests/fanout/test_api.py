"""fanout.publish and fanout.apublish: from any thread, any process, any loop, and behind a commit."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import transaction

import fanout
from fanout import api, errors, policy
from fanout.history import History
from fanout.hub import get_hub
from fanout.policy import Policy
from tests.busy import slowed
from tests.replicas import APP, clean_environment

LIMIT = 10
EXIT_LIMIT = 30


class Kept(Policy):
    """Durable, as `passing.` is not."""

    kind = "kept"
    history = History(size=10_000, age=3600)


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setitem(policy._policies, "kept", Kept())


@pytest.fixture(autouse=True)
def own_thread():
    """The publishers' thread and its connections end with the test."""
    yield
    api._thread.close()


@pytest.fixture
def own_layer(settings, own_redis):
    """The default layer is over a Redis that the test may break."""
    config = {"hosts": [own_redis.url]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.RedisChannelLayer", "CONFIG": config}}
    return own_redis


class Listener:
    """A socket of this loop's hub that keeps what it is given."""

    def __init__(self):
        self.broadcaster = self
        self.heard = asyncio.Queue()

    def broadcast(self, sockets, payloads, limit):
        for payload in payloads:
            self.heard.put_nowait(payload)

    def offer(self, sockets, payloads):
        self.broadcast(sockets, payloads, 0)
        return []

    def publication(self, publication):
        return publication.group, publication.data

    async def next(self):
        async with asyncio.timeout(LIMIT):
            return await self.heard.get()


@pytest.fixture
async def listener(default_layer):
    """Subscribed to kept.a and passing.a on the server's loop, which is the test's."""
    made = Listener()
    for group in ("kept.a", "passing.a"):
        await get_hub().join(group, made, made)
    yield made
    await get_channel_layer().flush()


# -- from anywhere -----------------------------------------------------------------------------------


async def test_a_thread_reaches_the_clients_of_a_loop_elsewhere(listener):
    """A durable publication returns its position, an ephemeral one None; both arrive."""
    position = await asyncio.to_thread(fanout.publish, "kept.a", {"n": 1})
    assert position.offset == 1
    assert await listener.next() == ("kept.a", b'{"n":1}')
    assert await asyncio.to_thread(fanout.publish, "passing.a", [2]) is None
    assert await listener.next() == ("passing.a", b"[2]")


async def test_a_coroutine_publishes_on_its_own_loop(listener):
    """`apublish` does the same where a loop runs."""
    assert (await fanout.apublish("kept.a", 1)).offset == 1
    assert await fanout.apublish("passing.a", 2) is None
    assert {await listener.next(), await listener.next()} == {("kept.a", b"1"), ("passing.a", b"2")}


async def test_a_thread_publishes_while_the_server_publishes(listener):
    """Two loops at once on one group: offsets without a hole or a double, and everything arrives in order."""
    count = 200

    async def from_here():
        return [await fanout.apublish("kept.a", number) for number in range(count)]

    def from_there():
        return [fanout.publish("kept.a", number) for number in range(count)]

    positions = [at for made in await asyncio.gather(from_here(), asyncio.to_thread(from_there)) for at in made]
    assert sorted(position.offset for position in positions) == list(range(1, 2 * count + 1))
    for number in range(2 * count):
        heard = await listener.next()
        (position,) = [at for at in positions if at.offset == number + 1]
        assert heard == ("kept.a", str(positions.index(position) % count).encode())


async def test_a_running_loop_is_not_blocked(default_layer):
    """On a loop's own thread the synchronous call is refused, and the sentence says what to call."""
    with pytest.raises(RuntimeError, match=r"await fanout\.apublish"):
        fanout.publish("kept.a", 1)


def test_publishing_inside_async_to_sync(default_layer):
    """Sync code below async code below sync code, as in a view that Django adapts."""

    async def view():
        return [await sync_to_async(fanout.publish)("kept.a", 1), await fanout.apublish("kept.a", 2)]

    positions = async_to_sync(view)()
    assert [position.offset for position in positions] == [1, 2]


def test_many_threads_share_one_connection(own_layer):
    """400 publications of 20 threads are all there, and Redis sees one client more, not 400."""
    before = len(own_layer.cli.client_list())
    with ThreadPoolExecutor(20) as threads:
        positions = list(threads.map(lambda number: fanout.publish("kept.a", number), range(400)))
    assert sorted(position.offset for position in positions) == list(range(1, 401))
    assert len(own_layer.cli.client_list()) == before + 1
    api._thread.close()
    wait_for(lambda: len(own_layer.cli.client_list()) == before)


def test_a_loop_of_a_single_call_leaves_no_connection(own_layer):
    """async_to_sync makes a loop for each call: its connection is closed with it."""
    before = len(own_layer.cli.client_list())
    for number in range(20):
        async_to_sync(fanout.apublish)("kept.a", number)
    wait_for(lambda: len(own_layer.cli.client_list()) == before)


def wait_for(condition):
    """Return when it holds: Redis notices a closed connection a moment later."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- behind a commit -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_a_commit_publishes_and_a_rollback_does_not(commits, memory_default_layer):
    """`transaction.on_commit` takes `fanout.publish` as it is."""
    with transaction.atomic():
        transaction.on_commit(partial(fanout.publish, "kept.a", {"home": 2}, key="goal-1"))
        assert offset_of("kept.a") == 0
        transaction.set_rollback(not commits)
    assert offset_of("kept.a") == (1 if commits else 0)


def offset_of(group):
    """The newest offset of a group."""
    return async_to_sync(get_channel_layer().top)(group).position.offset


# -- what can go wrong -----------------------------------------------------------------------------------


def test_a_key_is_one_publication(default_layer):
    """A repeat returns the first one's position; with other data it is a conflict."""
    first = fanout.publish("kept.a", {"n": 1}, key="k")
    assert fanout.publish("kept.a", {"n": 1}, key="k") == first
    with pytest.raises(errors.KeyConflict, match="choose a new one"):
        fanout.publish("kept.a", {"n": 2}, key="k")


def cyclic():
    made = []
    made.append(made)
    return made


@pytest.mark.parametrize(("arguments", "error", "sentence"), [
    (("no room", 1), errors.BadGroup, "1 to 99 of letters"),
    (("", 1), errors.BadGroup, "1 to 99 of letters"),
    ((None, 1), errors.BadGroup, "1 to 99 of letters"),
    (("kept.a", object()), errors.BadData, "can't be said in JSON"),
    (("kept.a", "\ud800"), errors.BadData, "can't be said in JSON"),
    (("kept.a", cyclic()), errors.BadData, "contains itself"),
    (("kept.a", "x" * (512 * 1024)), errors.TooLarge, "524288 bytes of JSON; this one has 524290"),
    (("kept.a", 1, ""), ValueError, "1 to 64 characters"),
])  # fmt: skip
def test_what_can_not_be_published_is_told(memory_default_layer, arguments, error, sentence):
    """By its class, and by a sentence."""
    with pytest.raises(error, match=sentence):
        fanout.publish(*arguments)
    assert offset_of("kept.a") == 0


def test_a_publication_of_the_greatest_size_arrives(default_layer):
    """Half an outbox."""
    assert fanout.publish("kept.a", "x" * (512 * 1024 - 2)).offset == 1


@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.parametrize("used", [True, False], ids=["connected before", "never connected"])
def test_a_dead_redis_is_told_in_time(own_layer, how, used):
    """Unavailable within 2 s, whether Redis refuses or keeps silent; and all is well when it is back."""
    if used:
        fanout.publish("kept.a", 1)
    getattr(own_layer, how)()
    began = time.monotonic()
    with pytest.raises(errors.Unavailable, match="try again"):
        fanout.publish("kept.a", 2, key="k")
    assert time.monotonic() - began < api.PUBLISH_LIMIT + 0.5 * slowed()
    if how == "kill":
        own_layer.start()
    else:
        own_layer.resume()
    assert fanout.publish("kept.a", 2, key="k").offset >= 1


def test_another_layer_is_refused(settings):
    """Channels' own layers have no groups of ours."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with pytest.raises(TypeError, match=r"fanout\.layers\.RedisChannelLayer"):
        fanout.publish("kept.a", 1)


def test_an_unknown_attribute_is_none_of_the_package():
    """As of any module."""
    with pytest.raises(AttributeError, match="publsh"):
        fanout.publsh  # noqa: B018


# -- other processes ---------------------------------------------------------------------------------------


def python(script, redis=None):
    """Run a script of a process of its own; return what it printed, and fail on an error or a word of complaint."""
    environment = clean_environment(DJANGO_SETTINGS_MODULE="config.settings")
    if redis is not None:
        environment["FANOUT_REDIS_URLS"] = redis.url
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=APP, env=environment, capture_output=True, text=True, check=False,
        timeout=EXIT_LIMIT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_package_needs_no_settings():
    """`import fanout` is free of Django, and so is its client."""
    script = "import sys, fanout, fanout.client; print(fanout.__version__, 'django' in sys.modules)"
    assert python(script) == [fanout.__version__, "False"]


def test_publishing_before_setup_is_refused():
    """Without the registered policies a durable group would be taken for an ephemeral one."""
    script = """
import fanout
from django.core.exceptions import AppRegistryNotReady
try:
    fanout.publish("chat.a", 1)
except AppRegistryNotReady as error:
    print("django.setup()" in str(error))
"""
    assert python(script) == ["True"]


def test_a_process_that_has_published_ends(own_redis):
    """With exit code 0 and without a word, from its main thread or another one; its connection is closed."""
    script = """
import threading, django
django.setup()
import fanout
print(fanout.publish("chat.a", {"message": "hi"}).offset)
threading.Thread(target=lambda: print(fanout.publish("chat.a", {"message": "hi"}).offset)).start()
"""
    before = len(own_redis.cli.client_list())
    assert python(script, own_redis) == ["1", "2"]
    wait_for(lambda: len(own_redis.cli.client_list()) == before)


def test_a_fork_publishes_and_leaves_its_parent_alone(own_redis):
    """As under a pre-forking server: the children have a thread of their own, the parent keeps its connection."""
    script = """
import os, sys, django
django.setup()
import fanout
publish = lambda: fanout.publish("chat.a", {"message": "hi"}).offset
offsets = [publish()]
for _ in range(3):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(publish()).encode())
        sys.exit()
    offsets.append(int(os.read(reader, 10)))
    assert os.waitpid(child, 0)[1] == 0
    offsets.append(publish())
print(*offsets)
"""
    assert python(script, own_redis) == ["1", "2", "3", "4", "5", "6", "7"]


def test_a_fork_may_happen_while_threads_publish(own_redis):
    """A lock that another thread held is free in the child."""
    script = """
import os, sys, threading, django
django.setup()
import fanout
publish = lambda: fanout.publish("chat.a", {"message": "hi"}).offset
publish()  # no fork of Python's survives being made while another thread imports
ended = threading.Event()
def work():
    while not ended.is_set():
        publish()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        publish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
ended.set()
for thread in threads:
    thread.join()
print("done")
"""
    assert python(script, own_redis) == ["done"]


def test_the_thread_begins_anew_after_a_close(default_layer):
    """Closing is no end: the next call opens another one."""
    assert fanout.publish("kept.a", 1) is not None
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "fanout-publisher"]
    api._thread.close()
    assert not thread.is_alive()
    assert fanout.publish("kept.a", 2) is not None
