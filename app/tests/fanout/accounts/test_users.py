"""Who is behind a connection: what it costs to ask, and when it is asked again."""

import importlib

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError

from fanout.accounts import users
from fanout.accounts.users import name_of, user_of
from fanout.errors import Unavailable
from tests.communicators import WebsocketCommunicator

LIMIT = 10


@pytest.fixture(autouse=True)
async def no_connection_is_left():
    """The thread of sync code forgets its connection: a later test's consumer would look after it, and may not."""
    yield

    def forget():
        for connection in connections.all(initialized_only=True):
            del connections[connection.alias]

    await sync_to_async(forget)()


@pytest.fixture
def queries(monkeypatch):
    """Every query of every thread, from now on."""
    seen, execute = [], CursorWrapper.execute

    def note(self, sql, params=None):
        seen.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", note)
    return seen


@pytest.fixture
def session_of(settings):
    """Make the cookie header of a session: of a user, or of nobody."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    def make(name):
        session = importlib.import_module(settings.SESSION_ENGINE).SessionStore()
        session["seen"] = "something"
        if name:
            user = User.objects.create_user(name, password="of a test")  # noqa: S106
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        return [(b"cookie", f"a=b; {settings.SESSION_COOKIE_NAME}={session.session_key}".encode())]

    return database_sync_to_async(make)


def scope_of(headers=()):
    return {"type": "websocket", "path": "/", "headers": list(headers)}


async def test_a_connection_without_a_session_costs_no_query(queries):
    """Nor anything else: it is a guest's."""
    scope = scope_of([(b"cookie", b"csrftoken=x"), (b"host", b"localhost")])
    assert await name_of(scope) is None
    assert not scope["user"].is_authenticated
    assert queries == []


async def test_a_socket_of_a_guest_costs_no_query_from_its_handshake_to_its_end(queries, memory_default_layer):
    """Through the whole application: joining and talking included."""
    from config.asgi import application

    socket = WebsocketCommunicator(application, "/ws/chat/lobby/", headers=[(b"host", b"localhost")])
    assert (await socket.connect(timeout=LIMIT))[0]
    await socket.send_json_to({"message": "hi", "name": "Ada", "account": True})
    assert await socket.receive_json_from(timeout=LIMIT) == {"message": "hi", "name": "Ada"}
    await socket.disconnect(timeout=LIMIT)
    assert queries == []


@pytest.mark.django_db(transaction=True)
async def test_an_account_is_looked_up_once_and_gives_its_name(queries, session_of, memory_default_layer):
    """Whatever name and mark the client sends."""
    from config.asgi import application

    headers = await session_of("ada")
    queries.clear()
    socket = WebsocketCommunicator(application, "/ws/chat/lobby/", headers=[(b"host", b"localhost"), *headers])
    assert (await socket.connect(timeout=LIMIT))[0]
    for _ in range(3):
        await socket.send_json_to({"message": "hi", "name": "Bob", "as": "ada"})
        said = await socket.receive_json_from(timeout=LIMIT)
        assert said == {"message": "hi", "name": "ada", "account": True}
    await socket.disconnect(timeout=LIMIT)
    assert len([sql for sql in queries if sql.startswith("SELECT")]) == 2, queries


@pytest.mark.django_db(transaction=True)
async def test_who_logs_out_is_a_guest_soon(session_of, monkeypatch):
    """An open connection's user is looked up again after a while, and so is one who was locked out."""
    scope = scope_of(await session_of("ada"))
    assert await name_of(scope) == "ada"
    await database_sync_to_async(User.objects.update)(is_active=False)
    assert await name_of(scope) == "ada"
    monkeypatch.setattr(users, "RECHECK", 0)
    assert await name_of(scope) is None
    await database_sync_to_async(User.objects.update)(is_active=True)
    assert await name_of(scope) == "ada"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [None, "ada"])
async def test_a_session_that_nobody_has_logged_in_to_is_a_guests(session_of, name):
    """And so is one whose key is invented."""
    scope = scope_of(await session_of(name))
    assert await name_of(scope) == name
    invented = [(b"cookie", b"sessionid=" + b"x" * 32)]
    assert await name_of(scope_of(invented)) is None


@pytest.mark.django_db(transaction=True)
async def test_while_the_database_is_away_who_is_known_stays_known(session_of, monkeypatch):
    """Whoever comes anew is told to try again."""
    known, new = scope_of(await session_of("ada")), scope_of(await session_of("eve"))
    assert await name_of(known) == "ada"
    monkeypatch.setattr(users, "RECHECK", 0)

    def away(*_arguments):
        raise OperationalError("the server is away")

    monkeypatch.setattr(CursorWrapper, "execute", away)
    assert await name_of(known) == "ada"
    with pytest.raises(Unavailable, match="Who you are can't be looked up now"):
        await name_of(new)


async def test_what_a_stack_around_has_found_is_taken(queries):
    """A project that uses AuthMiddlewareStack keeps it."""
    scope = {**scope_of([(b"cookie", b"sessionid=x")]), "user": User(username="grace")}
    assert (await user_of(scope)).get_username() == "grace"
    assert queries == []
