"""How often one may try to log in, on the demos' page and at the admin's, over all replicas."""

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.test import Client

from demos.accounts import attempts
from demos.accounts.models import Attempt

from .test_accounts_views import PASSWORD, quick  # noqa: F401 - a fixture
from .test_chat_views import no_collected_files  # noqa: F401 - a fixture

LOGIN, ADMIN = "/accounts/login/", "/admin/login/"
WORDS = "Too many attempts to log in. Try again in 15 minutes."


@pytest.fixture
def ada(db, quick):  # noqa: F811
    return User.objects.create_user("ada", password=PASSWORD, is_staff=True)


@pytest.fixture
def later(monkeypatch):
    """Let time pass, which stands still from now on."""
    now = attempts.timezone.now()

    def go(**span):
        monkeypatch.setattr(attempts.timezone, "now", lambda: now + dt.timedelta(**span))

    go()
    return go


def tries(path=LOGIN, name="ada", password="wrong", address="192.0.2.1"):  # noqa: S107
    return Client().post(path, {"username": name, "password": password}, REMOTE_ADDR=address)


def exhaust(name="ada", path=LOGIN):
    """Fail as often as is allowed, each time from elsewhere."""
    for number in range(attempts.OF_ACCOUNT):
        assert WORDS not in tries(path, name, address=f"198.51.100.{number}").content.decode()


@pytest.mark.parametrize("path", [LOGIN, ADMIN])
def test_an_account_is_closed_for_a_while_after_ten_failures(ada, path, later):
    """From wherever they come, also for who has the password now; a quarter of an hour later it is open."""
    exhaust(path=path)
    refused = tries(path, password=PASSWORD)
    assert WORDS in refused.content.decode()
    assert refused.status_code == (429 if path == LOGIN else 200)
    assert "sessionid" not in refused.cookies
    later(minutes=14, seconds=1)
    assert "Try again in a minute." in tries(path, password=PASSWORD).content.decode()
    later(minutes=15, seconds=1)
    assert "sessionid" in tries(path, password=PASSWORD).cookies


def test_both_doors_count_together_and_letters_case_does_not(ada):
    """The admin's page is no second chance."""
    exhaust("ADA", ADMIN)
    assert WORDS in tries(LOGIN).content.decode()


def test_a_name_that_nobody_has_is_refused_alike(ada):
    """So a refusal does not tell whether there is such an account."""
    exhaust("ada")
    exhaust("nobody")
    pages = [tries(name=name).content.decode() for name in ("ada", "nobody")]
    assert all(WORDS in page for page in pages)


def test_one_address_is_refused_after_fifty_failures_on_any_accounts(ada):
    """Others go on."""
    for number in range(attempts.OF_ADDRESS):
        tries(name=f"user-{number}")
    assert WORDS in tries(password=PASSWORD).content.decode()
    assert "sessionid" in tries(password=PASSWORD, address="192.0.2.2").cookies


def test_an_address_that_is_exempt_closes_the_log_in_for_nobody(ada, settings):
    """A crowd behind an Ingress may share it; an account's own failures count all the same."""
    settings.FANOUT_LIMITS = {"exempt": ("10.0.0.0/8",)}
    for number in range(attempts.OF_ADDRESS + 1):
        tries(name=f"user-{number}", address="10.1.2.3")
    assert "sessionid" in tries(password=PASSWORD, address="10.1.2.3").cookies
    for _ in range(attempts.OF_ACCOUNT):
        tries(address="10.1.2.3")
    assert WORDS in tries(password=PASSWORD, address="10.1.2.3").content.decode()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "192.0.2.1", False),
    ],
)
def test_an_address_is_what_its_client_cannot_choose(rf, one, other, is_same):
    """Of IPv6 the network of a site."""
    keys = {attempts.address_key(rf.get("/", REMOTE_ADDR=address)) for address in (one, other)}
    assert (len(keys) == 1) == is_same


def test_who_gets_in_starts_anew(ada):
    """Mistyping before is forgotten, and a success is no attempt of the address."""
    for _ in range(attempts.OF_ACCOUNT - 1):
        tries()
    for _ in range(2 * attempts.OF_ACCOUNT):
        assert "sessionid" in tries(password=PASSWORD).cookies
    assert Attempt.objects.filter(key=attempts.account_key("ada")).count() == 0
    assert Attempt.objects.count() == attempts.OF_ACCOUNT - 1


def test_who_is_refused_does_not_make_it_longer(ada, later):
    """Hammering on keeps nobody out for ever, and fills no table."""
    exhaust()
    before = Attempt.objects.count()
    for minute in range(14):
        later(minutes=minute)
        tries()
    assert Attempt.objects.count() == before
    later(minutes=15, seconds=1)
    assert "sessionid" in tries(password=PASSWORD).cookies
    assert Attempt.objects.count() == 0


def test_names_and_addresses_are_not_kept(ada):
    """Somebody types a password into the wrong field."""
    tries(name="my-secret-password")
    assert all(len(key) == 64 for key in Attempt.objects.values_list("key", flat=True))


def test_a_form_that_is_not_filled_in_is_no_attempt(ada):
    """Nothing is guessed by it."""
    tries(password="")
    assert Attempt.objects.count() == 0


def test_attempts_that_are_under_way_count(ada, rf):
    """Each is noted before it is counted, so a burst has no more guesses than one after the other."""
    request = rf.get("/", REMOTE_ADDR="192.0.2.1")
    waits = [attempts.minutes_to_wait(request, "ada") for _ in range(2 * attempts.OF_ACCOUNT)]
    assert waits == [0] * attempts.OF_ACCOUNT + [15] * attempts.OF_ACCOUNT
