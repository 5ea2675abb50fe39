"""Users, sessions of theirs, and what ends them."""

import importlib

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from fanout.accounts.users import name_of, user_of
from fanout.policy import Policy

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


class Open(Policy):
    """For everybody: nobody asks who comes."""

    kind = "open"
