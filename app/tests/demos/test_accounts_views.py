"""Log-in, log-out, sign-up and admin as the server sends them: forms, refusals, where they lead."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from .test_chat_views import Markup, no_collected_files  # noqa: F401 - a fixture

PAGES = ["/accounts/login/", "/accounts/signup/"]
PASSWORD = "of-a-test-42"  # noqa: S105


@pytest.fixture
def quick(settings):
    """Passwords are hashed in no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(db, quick):
    return User.objects.create_user("ada", password=PASSWORD)


def sign_up(client, name="grace", password=PASSWORD, address="127.0.0.1", **more):
    form = {"username": name, "password1": password, "password2": password, **more}
    return client.post("/accounts/signup/", form, REMOTE_ADDR=address)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_keeps_to_the_rules_of_pages(client, path):
    """Nobody keeps it; nothing in it is inline, every control has a label, every reference a target."""
    response = client.get(path)
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    markup = Markup(response)
    assert not [name for _, attrs in markup.tags for name in attrs if name.startswith("on") or name == "style"]
    ids = {attrs["id"] for _, attrs in markup.tags if "id" in attrs}
    shown = [attrs for attrs in markup.all("input") if attrs.get("type") != "hidden"]
    assert {attrs["id"] for attrs in shown} <= {attrs["for"] for attrs in markup.all("label")} <= ids
    assert {target for attrs in shown for target in attrs.get("aria-describedby", "").split()} <= ids
    assert len(markup.all("h1")) == len(markup.all("main")) == 1


def test_who_signs_up_is_logged_in_and_back(client, db, quick):
    """The account is there, and the page one came from says its name."""
    response = sign_up(client, next="/chat/tea/")
    assert response.headers["Location"] == "/chat/tea/"
    page = client.get("/chat/tea/").content.decode()
    assert 'data-account="grace"' in page
    assert "Log out" in page
    assert User.objects.get().username == "grace"


def test_log_in_and_log_out_lead_back(client, ada):
    """The session is gone behind it; a guest's page offers the way in."""
    response = client.post("/accounts/login/", {"username": "ada", "password": PASSWORD, "next": "/game/"})
    assert response.headers["Location"] == "/game/"
    assert 'value="ada"' in client.get("/game/").content.decode()
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/", {"next": "/game/"}).headers["Location"] == "/game/"
    assert "/accounts/login/?next=/game/" in client.get("/game/").content.decode()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "way_out", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere(client, ada, path, way_out):
    """An address of another site is not followed."""
    form = {"username": "ada", "password": PASSWORD} if "login" in path else {
        "username": "eve", "password1": PASSWORD, "password2": PASSWORD,
    }  # fmt: skip
    assert client.post(path, {**form, "next": way_out}).headers["Location"] == "/"


@pytest.mark.parametrize(("name", "password", "sentence"), [
    ("ada", PASSWORD, "A user with that username already exists."),
    ("ADA", PASSWORD, "A user with that username already exists."),
    ("x" * 25, PASSWORD, "Ensure this value has at most 24 characters (it has 25)."),
    ("a b", PASSWORD, "Enter a valid username."),
    ("", PASSWORD, "This field is required."),
    ("grace", "1234567", "This password is too short."),
    ("grace", "password", "This password is too common."),
    ("gracehopper", "gracehopper1", "The password is too similar to the username."),
])  # fmt: skip
def test_a_refused_sign_up_says_why_and_keeps_the_name(client, ada, name, password, sentence):
    """No account is made."""
    response = sign_up(client, name, password)
    assert response.status_code == 200
    page = response.content.decode()
    assert sentence.replace("'", "&#x27;") in page
    assert f'value="{name}"' in page or not name
    assert User.objects.count() == 1


def test_a_wrong_password_says_neither_which_name_nor_why(client, ada):
    """As for a name that nobody has."""
    wrong = client.post("/accounts/login/", {"username": "ada", "password": "x"}).content.decode()
    unknown = client.post("/accounts/login/", {"username": "eve", "password": "x"}).content.decode()
    sentence = "Please enter a correct username and password."
    assert sentence in wrong
    assert sentence in unknown


@pytest.mark.parametrize("path", [*PAGES, "/accounts/logout/"])
def test_a_form_without_its_token_changes_nothing(ada, path):
    """It is answered by a page that says what to do."""
    strict = Client(enforce_csrf_checks=True)
    response = strict.post(path, {"username": "ada", "password": PASSWORD}, headers={"Accept": "text/html"})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert "sessionid" not in response.cookies


def test_cookies_of_who_came_over_tls_stay_there(client, ada):
    """Those of who came without it work without it."""
    form = {"username": "ada", "password": PASSWORD}
    plain = client.post("/accounts/login/", form).cookies["sessionid"]
    secure = Client().post("/accounts/login/", form, headers={"X-Forwarded-Proto": "https"}).cookies["sessionid"]
    assert (plain["secure"], bool(secure["secure"])) == ("", True)
    assert plain["httponly"]
    assert plain["samesite"] == "Lax"


def test_the_admin_lets_only_staff_in(client, ada):
    """Others are asked to log in."""
    client.force_login(ada)
    assert client.get("/admin/").status_code == 302
    ada.is_staff = ada.is_superuser = True
    ada.save()
    assert client.get("/admin/auth/user/").status_code == 200
