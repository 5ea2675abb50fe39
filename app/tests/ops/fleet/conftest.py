"""Real replicas with accounts: a member of staff, and somebody who is not."""

import json
import subprocess
import sys

import pytest

from tests.replicas import APP, LIMIT, folder, start  # noqa: F401  # fixtures

ACCOUNTS = """
import importlib, json
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User

def session_of(name, **rights):
    user = User.objects.create_user(name, **rights)
    session = importlib.import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return settings.SESSION_COOKIE_NAME + "=" + session.session_key

print(json.dumps({"staff": session_of("boss", is_staff=True), "other": session_of("ada")}))
"""


@pytest.fixture
def replicas(start, own_redis):  # noqa: F811  # the fixture
    """Two, over a Redis and a database of their own."""
    start.environment |= {"FANOUT_REDIS_URLS": own_redis.url, "FANOUT_SECRET_KEY": "of-a-test-" * 5}
    manage(start, "migrate", "--verbosity", "0")
    return [start.replica("config.asgi:application", name=name) for name in ("web-1", "web-2")]


@pytest.fixture
def cookies(replicas, start):  # noqa: F811  # the fixture
    """The Cookie headers of both."""
    return json.loads(manage(start, "shell", "--no-imports", "-c", ACCOUNTS))


def manage(start, *arguments):  # noqa: F811
    command = [sys.executable, str(APP / "manage.py"), *arguments]
    done = subprocess.run(command, env=start.environment, check=True, timeout=LIMIT, capture_output=True, text=True)
    return done.stdout
