"""What ends an account's session, or takes a permission, ends its connections and its places in groups."""

import asyncio
import importlib
import json
from types import SimpleNamespace

import pytest
from channels.db import database_sync_to_async
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.utils import timezone

from config.asgi import application
from fanout import close_codes, policy
from fanout.accounts import connected
from fanout.accounts.users import name_of, user_of
from fanout.counters import counters
from fanout.hub import close_hub, get_hub
from fanout.limits import admission
from fanout.policy import Policy

pytestmark = pytest.mark.django_db(transaction=True)

PROMISED = 5
"""Seconds."""
LIMIT = 15
"""Seconds that a test waits on a busy machine."""
HOST = (b"host", b"localhost")
PASSWORD = "of-a-test-42"  # noqa: S105


class Members(Policy):
    """For accounts alone."""

    kind = "members"

    async def may_join(self, scope, group):
        return await name_of(scope) is not None

    may_publish = may_join


class Watchers(Policy):
    """For who has a permission."""

    kind = "watchers"
    join_permissions = publish_permissions = ("auth.view_group",)


class Staff(Policy):
    """For staff."""

    kind = "watchers"

    async def may_join(self, scope, group):
        return (await user_of(scope)).is_staff


@pytest.fixture(autouse=True)
async def kinds(settings, monkeypatch, memory_default_layer):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for kind in (Members, Watchers):
        monkeypatch.setitem(policy._policies, kind.kind, kind())
    yield
    await close_hub()


def session_of(user):
    """The key of a new session of a user."""
    store = importlib.import_module("django.contrib.sessions.backends.db").SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return store.session_key


def made(name):
    user = User.objects.create_user(name, password=PASSWORD)
    return user, session_of(user)


@pytest.fixture
async def ada():
    """A user, and the key of a session of hers."""
    return await database_sync_to_async(made)("ada")


@pytest.fixture
async def connect():
    """Open a socket with a session, and join groups."""
    opened = []

    async def connect(key, *groups, path="/ws/", subprotocol="fanout.v1", client=None):
        headers = [HOST, *([(b"cookie", f"sessionid={key}".encode("latin1"))] if key else [])]
        address = client
        client = WebsocketCommunicator(application, path, headers, [subprotocol] if subprotocol else None)
        client.scope["client"] = address
        assert (await client.connect(timeout=LIMIT))[0]
        opened.append(client)
        for group in groups:
            await client.send_json_to({"type": "join", "group": group, "id": 1})
            assert (await client.receive_json_from(timeout=LIMIT))["type"] == "joined"
        return client

    yield connect
    for client in opened:
        await client.disconnect(timeout=LIMIT)


async def closed(client):
    """The close frame that comes within the promised time."""
    event = await client.receive_output(timeout=LIMIT)
    assert event["type"] == "websocket.close", event
    return event["code"], event["reason"]


def log_out(user, key):
    client = Client()
    client.cookies["sessionid"] = key
    assert client.post("/accounts/logout/").status_code == 302


def new_password(user, key):
    user.set_password("another-42")
    user.save()


def locked(user, key):
    user.is_active = False
    user.save()


WAYS = {
    "a log-out": log_out,
    "a deleted session": lambda user, key: Session.objects.get(pk=key).delete(),
    "sessions deleted by a query": lambda user, key: Session.objects.all().delete(),
    "a locked account": locked,
    "a deleted account": lambda user, key: user.delete(),
    "a new password": new_password,
}
SILENT = {
    "an account locked by a query": lambda user, key: User.objects.filter(pk=user.pk).update(is_active=False),
    "a session that is over": lambda user, key: Session.objects.filter(pk=key).update(expire_date=timezone.now()),
    "a row deleted by hand": lambda user, key: connection.cursor().execute("DELETE FROM django_session"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_django_tells_ends_the_connection_at_once(connect, ada, way, monkeypatch):
    """Closed with 4401 and a sentence without a look at the database; another account's is not touched."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    eve = await database_sync_to_async(made)("eve")
    mine, hers = await connect(ada[1], "members.a"), await connect(eve[1] if "by a query" not in way else None)
    await database_sync_to_async(WAYS[way])(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    assert get_hub().groups == {}
    await hers.send_json_to({"type": "join", "group": "chat.a", "id": 1})
    assert (await hers.receive_json_from(timeout=LIMIT))["type"] == "joined"


@pytest.mark.parametrize("way", SILENT)
async def test_what_no_signal_tells_is_found_by_a_look_at_the_database(connect, ada, way, monkeypatch):
    """Soon enough; the plain client too."""
    assert connected.SWEEP_EVERY + 1 < PROMISED
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.2)
    mine = await connect(ada[1], "members.a")
    plain = await connect(ada[1], path="/ws/chat/a/", subprotocol=None)
    await database_sync_to_async(SILENT[way])(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    assert await closed(plain) == (close_codes.SESSION_ENDED, connected.REASON)


class Open(Policy):
    """For everybody: nobody asks who comes."""

    kind = "open"


@pytest.fixture
def open_to_all(monkeypatch):
    """Groups whose policy never asks for the user, as the board of the fleet; a plain client's path leads to one."""
    monkeypatch.setitem(policy._policies, "open", Open())
    monkeypatch.setitem(policy._policies, "chat", type("OpenChat", (Open,), {"kind": "chat"})())


async def unasked(connect, key):
    """A socket, a plain client, and one that is in no group yet; none of them has had its user looked up."""
    several = [await connect(key, "open.a"), await connect(key)]
    several.append(await connect(key, path="/ws/chat/a/", subprotocol=None))
    assert len(get_hub().accounts) == 0
    return several


@pytest.mark.parametrize("way", ["a log-out", "a deleted session"])
async def test_a_log_out_ends_what_nobody_has_asked_about(connect, ada, open_to_all, way, monkeypatch):
    """At once, with no look at the database before; guests, and who never had this session, stay."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    others = [await connect(key, "open.a") for key in (None, "x" * 32)]
    mine = await unasked(connect, ada[1])
    await database_sync_to_async(WAYS[way])(*ada)
    for each in mine:
        assert await closed(each) == (close_codes.SESSION_ENDED, connected.REASON)
    assert all(each.output_queue.empty() for each in others)


@pytest.mark.parametrize("way", [*SILENT, "a locked account", "a new password"])
async def test_a_look_finds_whose_session_nobody_has_asked_about(connect, ada, open_to_all, way, monkeypatch):
    """From then on it ends with all that ends the account's others; a stranger's key is a guest's."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    stranger = await connect("x" * 32, "open.a")
    mine = await unasked(connect, ada[1])
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts) < len(mine):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async({**WAYS, **SILENT}[way])(*ada)
    for each in mine:
        assert await closed(each) == (close_codes.SESSION_ENDED, connected.REASON)
    assert stranger.output_queue.empty()
    assert not get_hub().accounts._unasked
    assert not get_hub().accounts._by_session


async def test_who_was_doubted_before_anybody_asked_stays_bound(connect, ada, open_to_all, monkeypatch):
    """An account that was changed is looked at anew; who asks after that loosens no socket from its session."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    mine = await connect(ada[1], "open.a")
    async with asyncio.timeout(LIMIT):
        while not get_hub().accounts:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(ada[0].save)()
    await asyncio.gather(*get_hub().accounts._reviews)
    await mine.send_json_to({"type": "join", "group": "members.a", "id": 1})
    assert (await mine.receive_json_from(timeout=LIMIT))["type"] == "joined"
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    await database_sync_to_async(log_out)(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)


async def test_what_can_be_no_key_of_a_session_is_a_guests(connect, ada, open_to_all, monkeypatch):
    """It is no error of the database, by which all others would be looked up no more."""
    for key in ('"\\000"', '"a\\012b"', "\u00e4" * 32):
        await connect(key, "open.a")
    assert not get_hub().accounts._unasked
    assert get_hub().accounts._tasks == []


async def test_a_guest_with_a_session_who_logs_in_goes_on_as_he_came(connect, open_to_all, ada, monkeypatch):
    """Django gives him a new session; his open socket was nobody's and stays so."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    browser = Client()

    def visit():
        session = browser.session
        session["basket"] = 1
        session.save()
        return session.session_key

    def log_in():
        assert browser.login(username="ada", password=PASSWORD)
        assert browser.session.session_key != key

    key = await database_sync_to_async(visit)()
    guest = await connect(key, "open.a")
    await database_sync_to_async(log_in)()
    async with asyncio.timeout(LIMIT):
        while get_hub().accounts._unasked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await guest.send_json_to({"type": "publish", "group": "open.a", "data": 1, "id": 9})
    assert {(await guest.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}


async def test_who_is_dismissed_does_nothing_more(connect, ada):
    """Frames that were on their way, or that a client sends in spite of it, have no effect."""
    mine = await connect(ada[1], "members.a")
    before = counters.publications
    await database_sync_to_async(log_out)(*ada)
    await mine.send_json_to({"type": "publish", "group": "chat.a", "data": {"message": "hi"}})
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    await mine.send_json_to({"type": "publish", "group": "chat.a", "data": {"message": "hi"}})
    assert await mine.receive_nothing()
    assert counters.publications <= before + 2  # what was sent before the end, and the telling of it


async def test_a_permission_that_is_taken_ends_the_place_it_was_for(connect, ada):
    """Of a group of users, or of the account itself; the socket stays, other groups go on, and it may not come back."""
    user, key = ada
    permission = await Permission.objects.aget(codename="view_group")
    club = await Group.objects.acreate(name="club")
    await club.permissions.aadd(permission)
    await user.groups.aadd(club)
    for taking in ("of the user", "of the group", "the group"):
        if not await Group.objects.filter(name="club").aexists():
            club = await Group.objects.acreate(name="club")
        await club.permissions.aadd(permission)
        await user.groups.aadd(club)
        client = await connect(key, "watchers.a", "members.a")
        match taking:
            case "of the user":
                await user.groups.aclear()
            case "of the group":
                await club.permissions.aremove(permission)
            case _:
                await club.adelete()
        told = await client.receive_json_from(timeout=LIMIT)
        assert told.pop("message") == "You may not be in watchers.a any more."
        assert told == {"type": "error", "id": None, "code": "forbidden", "group": "watchers.a"}
        await client.send_json_to({"type": "join", "group": "watchers.a", "id": 2})
        assert (await client.receive_json_from(timeout=LIMIT))["code"] == "forbidden"
        await client.send_json_to({"type": "publish", "group": "members.a", "data": 1})
        assert {(await client.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}


RIGHTS = {
    "a group": lambda user: User.groups.through.objects.filter(user=user)._raw_delete("default"),
    "a permission": lambda user: User.user_permissions.through.objects.filter(user=user)._raw_delete("default"),
    "a permission of a group": lambda user: Group.permissions.through.objects.all()._raw_delete("default"),
    "staff": lambda user: User.objects.filter(pk=user.pk).update(is_staff=False),
}
"""Ways to take a right of which no signal tells."""


@pytest.mark.parametrize("taken", RIGHTS)
async def test_a_right_that_is_taken_without_a_signal_is_found(connect, ada, taken, monkeypatch):
    """By a look at the database; the place it was for ends, the socket stays."""
    user, key = ada
    permission = await Permission.objects.aget(codename="view_group")
    if taken == "staff":
        monkeypatch.setitem(policy._policies, Watchers.kind, Staff())
        await User.objects.filter(pk=user.pk).aupdate(is_staff=True)
    elif taken == "a permission":
        await user.user_permissions.aadd(permission)
    else:
        club = await Group.objects.acreate(name="club")
        await club.permissions.aadd(permission)
        await user.groups.aadd(club)
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    client = await connect(key, "watchers.a", "members.a")
    async with asyncio.timeout(LIMIT):
        while not get_hub().accounts._rights:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(RIGHTS[taken])(user)
    told = await client.receive_json_from(timeout=LIMIT)
    assert (told["code"], told["group"]) == ("forbidden", "watchers.a")
    assert list(get_hub().groups) == ["members.a"]


async def test_many_are_asked_together_what_they_may(ada, monkeypatch):
    """A policy may wait for something of its own: the next connection is not asked only behind it."""
    together = asyncio.Barrier(connected.AT_ONCE)

    class Waiting(Policy):
        kind = "waiting"

        async def may_join(self, scope, group):
            await together.wait()
            return False

    class Holder:
        def __init__(self, scope):
            self.scope, self.told = scope, None
            scope[connected.HOLDER] = self

        def dismiss(self, code, reason):
            self.told = reason

        async def recheck(self):
            self.told = await Waiting().may_join(self.scope, "waiting.a")

    hub = get_hub()
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    holders = [Holder({"type": "websocket"}) for _ in range(2 * connected.AT_ONCE)]
    for holder in holders:
        hub.accounts.note(holder.scope, ada[0], None)
    async with asyncio.timeout(LIMIT):
        await hub.accounts._review([holder.scope for holder in holders])
    assert [holder.told for holder in holders] == [False] * len(holders)


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.7"])
async def test_an_account_has_so_many_connections(connect, ada, settings, address):
    """Over all its tabs and devices, beyond closed with 4029, from an exempt address too; one that goes makes room."""
    settings.FANOUT_LIMITS = {"connections_per_user": 2, "exempt": ("10.0.0.0/8",)}
    address = [address, 1]
    first, second = [await connect(ada[1], "members.a", client=address) for _ in range(2)]
    third = await connect(ada[1], "members.a", client=address)
    code, reason = await closed(third)
    assert (code, reason) == (4029, "Your account has 2 connections already: close another tab or device.")
    await first.disconnect(timeout=LIMIT)
    fourth = await connect(ada[1], "members.a", client=address)
    await fourth.send_json_to({"type": "leave", "group": "members.a"})
    assert (await fourth.receive_json_from(timeout=LIMIT))["type"] == "left"
    assert second.output_queue.empty()
    assert counters.limited["connections_per_user"]


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.7"])
async def test_an_account_publishes_so_fast(connect, ada, settings, monkeypatch, address):
    """Over all its sockets together, from an exempt address too, whether its connections are limited or not."""
    settings.FANOUT_LIMITS = {"connections_per_user": 0, "publishes_per_user": 1, "exempt": ("10.0.0.0/8",)}
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    told = []
    for port in range(3):
        client = await connect(ada[1], "members.a", client=[address, port])
        await client.send_json_to({"type": "publish", "group": "members.b", "data": 1})
        told.append(await client.receive_json_from(timeout=LIMIT))
    assert [each.get("code") for each in told] == [None, None, "too_fast"]


async def test_streams_are_cut_and_polls_answered(ada):
    """A stream ends; a poll that waits is refused, as its next would be."""
    headers = [HOST, (b"cookie", f"sessionid={ada[1]}".encode())]
    stream = HttpCommunicator(application, "GET", "/events/members.a", headers=headers)
    await stream.send_input({"type": "http.request"})
    assert (await stream.receive_output(timeout=LIMIT))["status"] == 200
    poll = HttpCommunicator(application, "GET", "/poll/members.a?since=:1.0.0", headers=headers)
    await poll.send_input({"type": "http.request"})
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(log_out)(*ada)
    assert (await poll.receive_output(timeout=LIMIT))["status"] == 403
    assert json.loads((await poll.receive_output(timeout=LIMIT))["body"])["code"] == "forbidden"
    async with asyncio.timeout(LIMIT):
        await stream.wait()
    assert len(get_hub().accounts) == 0


async def test_nothing_is_watched_for_who_has_no_account(connect, ada, monkeypatch):
    """Guests cost no query and no task; when the last account leaves, the looks at the database end."""
    seen, execute = [], CursorWrapper.execute
    monkeypatch.setattr(CursorWrapper, "execute", lambda *args, **more: (seen.append(args), execute(*args, **more))[1])
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.01)
    guest = await connect(None, "chat.a")
    assert get_hub().accounts._tasks == []
    member = await connect(ada[1], "members.a")
    assert len(get_hub().accounts) == 1
    await member.send_input({"type": "websocket.disconnect", "code": 1000})
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    seen.clear()
    await asyncio.sleep(0.1)
    assert seen == []
    assert guest.output_queue.empty()


async def test_a_log_in_elsewhere_changes_nothing(connect, ada):
    """It writes the account's last log-in, and no more."""
    client = await connect(ada[1], "members.a")
    other = Client()
    await database_sync_to_async(other.login)(username="ada", password=PASSWORD)
    await client.send_json_to({"type": "publish", "group": "members.a", "data": 1, "id": 9})
    assert {(await client.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}
