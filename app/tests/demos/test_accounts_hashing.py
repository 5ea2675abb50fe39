"""Password hashes: one at a time, few who wait, and an answer for the others; sign-ups of an address are counted."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.test import Client

from demos.accounts import attempts, hashing
from demos.accounts.models import Attempt

from .test_accounts_views import PASSWORD, ada, quick, sign_up  # noqa: F401 - fixtures
from .test_chat_views import no_collected_files  # noqa: F401 - a fixture

LIMIT = 20
BUSY = "Too many people log in or sign up at this moment. Try again in a few seconds."
OFTEN = "Too many accounts were made from your address. Try again in 15 minutes."


@pytest.fixture
def taken(monkeypatch):
    """Somebody else's password is being looked at, and nobody waits for long."""
    monkeypatch.setattr(hashing, "WAIT_SECONDS", 0.01)
    with hashing.turn():
        yield


def test_one_hashes_at_a_time():
    """Of many at once; each has its turn."""
    at_once, most = [], []

    def hash_one(_):
        with hashing.turn():
            at_once.append(1)
            most.append(len(at_once))
            time.sleep(0.005)
            at_once.pop()

    with ThreadPoolExecutor(hashing.WAITING) as pool:
        list(pool.map(hash_one, range(3 * hashing.WAITING)))
    assert most == [1] * 3 * hashing.WAITING


def test_few_wait_and_the_next_is_refused_at_once(monkeypatch):
    """A flood holds no more threads than that; when they have gone there is room."""
    monkeypatch.setattr(hashing, "WAIT_SECONDS", LIMIT)
    done = []

    def wait():
        with hashing.turn():
            done.append(1)

    with hashing.turn():
        waiting = [threading.Thread(target=wait) for _ in range(hashing.WAITING)]
        for thread in waiting:
            thread.start()
        while hashing._places._value:
            time.sleep(0.001)
        with pytest.raises(hashing.Busy):
            hashing.turn().__enter__()
    for thread in waiting:
        thread.join(LIMIT)
    assert len(done) == hashing.WAITING
    with hashing.turn():
        pass


@pytest.mark.usefixtures("taken")
def test_who_logs_in_meanwhile_is_told_when_to_come_back(ada):  # noqa: F811
    """The password was not looked at, so it is no attempt."""
    response = Client().post("/accounts/login/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert BUSY in response.content.decode()
    assert Attempt.objects.count() == 0
    page = Client().post("/admin/login/", {"username": "ada", "password": PASSWORD}).content.decode()
    assert BUSY in page


@pytest.mark.usefixtures("taken", "db", "quick")
def test_who_signs_up_meanwhile_is_told_when_to_come_back(client):
    """With the form, and without an account."""
    response = sign_up(client)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert BUSY in response.content.decode()
    assert 'value="grace"' in response.content.decode()
    assert not User.objects.exists()


def test_one_address_signs_up_fifty_times(ada, client):  # noqa: F811
    """In a quarter of an hour, counting those that were refused; others go on, and its log-ins."""
    for number in range(attempts.OF_ADDRESS):
        assert sign_up(client, f"user-{number % 2}", address="192.0.2.1").status_code in (200, 302)
    response = sign_up(client, "ada", address="192.0.2.1")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "900")
    page = response.content.decode()
    assert OFTEN in page
    assert "already exists" not in page
    assert sign_up(client, "grace", address="192.0.2.2").status_code == 302
    form = {"username": "ada", "password": PASSWORD}
    assert client.post("/accounts/login/", form, REMOTE_ADDR="192.0.2.1").status_code == 302
