"""The chat's pages as the server sends them: addresses, errors, policy, markup and colours."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demos.rooms import NAME_PATTERN, is_room_name

APP = Path(__file__).resolve().parents[2]
RULE = "[A-Za-z0-9_.-]{1,64}"
BAD_ROOMS = ["a%20b", "caf%C3%A9", "x" * 65, "a/b", "a%0Ab", "%0A", "%3Cscript%3E", "a/"]
GOOD_ROOMS = ["lobby", "A-Z_0.9", "x" * 64, "..."]


@pytest.fixture(autouse=True)
def no_collected_files(settings, tmp_path):
    """Whatever `collectstatic` left on this machine, files are found where they lie."""
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_USE_FINDERS = True
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


class Markup(HTMLParser):
    """Every start tag of a page, in order."""

    def __init__(self, response):
        super().__init__()
        self.tags = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]


def test_the_lobby_is_a_room_like_others(client):
    """Its page names the room, its group and its socket."""
    response = client.get("/chat/lobby/")
    assert response.status_code == 200
    (body,) = Markup(response).all("body")
    assert (body["data-room"], body["data-group"], body["data-socket"]) == (
        "lobby",
        "chat.lobby",
        "/ws/chat/lobby/",
    )


@pytest.mark.parametrize("name", GOOD_ROOMS)
def test_a_room_has_its_own_page(client, name):
    """Every name that keeps the rule is a room."""
    assert is_room_name(name)
    (body,) = Markup(client.get(f"/chat/{name}/")).all("body")
    assert body["data-group"] == f"chat.{name}"


@pytest.mark.parametrize("name", BAD_ROOMS)
def test_a_bad_room_name_is_refused_with_the_rule(client, name):
    """Error 404, and the page says which names a room may have."""
    response = client.get(f"/chat/{name}/")
    assert response.status_code == 404
    assert RULE in response.content.decode()


def test_a_bad_room_name_in_the_form_is_refused_with_the_rule(client):
    """The form's way is no way around the rule."""
    response = client.get("/chat/?room=a+b")
    assert response.status_code == 404
    assert RULE in response.content.decode()


def test_the_form_leads_to_the_room(client):
    """Without JavaScript too; spaces around the name are dropped, an empty name is the lobby."""
    assert client.get("/chat/?room=+tea+").headers["Location"] == "/chat/tea/"
    assert client.get("/chat/?room=").headers["Location"] == "/chat/lobby/"
    assert client.get("/chat/").headers["Location"] == "/chat/lobby/"
    assert client.get("/chat/tea").headers["Location"] == "/chat/tea/"


@pytest.mark.parametrize("name", [".", ".."])
def test_path_steps_are_no_rooms(client, name):
    """A browser would never get there: it takes them for steps in the path."""
    assert not is_room_name(name)
    assert client.get(f"/chat/?room={name}").status_code == 404


def test_an_unknown_path_is_a_friendly_404(client):
    """A page with a way out, no stack trace."""
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert 'href="/"' in response.content.decode()
    assert "Traceback" not in response.content.decode()


@pytest.mark.parametrize("path", ["/no/such/page", "/chat/a%20b/"])
@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html;q=0.1,application/json"])
def test_programs_get_problem_details(client, path, accept):
    """Who prefers JSON gets `application/problem+json`, and caches are told that it depends."""
    response = client.get(path, headers={"accept": accept})
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Accept" in response.headers["Vary"]
    assert response.json()["status"] == response.status_code == 404
    assert response.json()["title"]


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "*/*", "image/png"])
def test_everyone_else_gets_a_page(client, accept):
    """A browser, curl, and whoever wants neither."""
    response = client.get("/no/such/page", headers={"accept": accept})
    assert response.headers["Content-Type"].startswith("text/html")


def test_a_failure_is_told_without_its_inside(client, monkeypatch):
    """Error 500 is a page as well."""
    monkeypatch.setattr("demos.chat.views.static", lambda _: 1 / 0)
    client.raise_request_exception = False
    response = client.get("/favicon.ico")
    assert response.status_code == 500
    assert "Something broke" in response.content.decode()
    assert "ZeroDivisionError" not in response.content.decode()


def test_the_favicon_is_there_for_who_asks_unasked(client):
    """The old address leads to the icon."""
    assert client.get("/favicon.ico").headers["Location"].startswith("/static/fanout/favicon")


@pytest.mark.parametrize("path", ["/chat/lobby/", "/chat/tea/", "/chat/a%20b/", "/no/such/page"])
def test_pages_forbid_whatever_they_do_not_need(client, path):
    """The markup keeps to the policy of app/config/headers.py: nothing inline, nothing from elsewhere."""
    markup = Markup(client.get(path))
    assert not [tag for tag, attrs in markup.tags if tag == "style" or "style" in attrs]
    assert not [name for _, attrs in markup.tags for name in attrs if name.startswith("on")]
    assert all("src" in attrs for attrs in markup.all("script"))
    addresses = [attrs.get("src") or attrs.get("href") for attrs in markup.all("script", "link", "img", "a")]
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)


def test_pages_are_only_read(client):
    """Nothing is posted to them, and HEAD works."""
    assert client.post("/chat/lobby/").status_code == 405
    assert client.head("/chat/tea/").status_code == 200


def test_every_control_has_a_name_and_every_reference_a_target(client):
    """Labels, descriptions and controls point at what is there; one heading says where one is."""
    markup = Markup(client.get("/chat/tea/"))
    ids = {attrs["id"] for _, attrs in markup.tags if "id" in attrs}
    labelled = {attrs["for"] for attrs in markup.all("label")}
    assert {attrs["id"] for attrs in markup.all("input", "textarea")} == labelled
    references = [
        target
        for _, attrs in markup.tags
        for name in ("aria-describedby", "aria-controls", "for")
        for target in attrs.get(name, "").split()
    ]
    assert set(references) <= ids
    assert len(markup.all("h1")) == len(markup.all("main")) == 1
    assert markup.all("html")[0]["lang"] == "en"


def test_browsers_take_the_pattern():
    """In an HTML pattern (flag v) a hyphen at the end of a class needs its backslash, or the rule is ignored."""
    assert r"\-]" in NAME_PATTERN
    assert re.fullmatch(NAME_PATTERN, "a-b_c.9")


# Colours


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


SHEETS = (
    "fanout/static/fanout/page.css",
    "demos/game/static/game/arena.css",
)


def palettes():
    """The custom properties of the style sheets: light, and dark where it differs."""
    light, dark = {}, {}
    for sheet in SHEETS:
        roots = re.findall(r":root \{(.*?)\}", (APP / sheet).read_text(), re.DOTALL)
        for palette, root in zip((light, dark), roots, strict=True):
            palette.update(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", root))
    assert light.keys() == dark.keys()
    return {"light": light, "dark": dark}


TEXT_PAIRS = [
    (text, ground)
    for text in ("ink", "muted", "accent", "bad", *(f"series-{n}" for n in range(6)))
    for ground in ("paper", "surface")
] + [("on-accent", "accent"), ("ink", "tint"), ("muted", "tint"), ("accent", "tint"), ("ink", "floor")]
TEXT_PAIRS += [("wait", "paper"), ("wait", "surface"), ("good", "surface")]
SHAPE_PAIRS = [(shape, ground) for shape in ("edge", "good", "wait", "bad") for ground in ("paper", "surface")]
SHAPE_PAIRS += [(f"series-{n}", ground) for n in range(6) for ground in ("paper", "surface", "floor")]
SHAPE_PAIRS += [("gem", "floor")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_keep_wcag_aa(scheme):
    """Text has 4.5:1 against what it stands on, lamps and borders of fields 3:1."""
    colours = palettes()[scheme]
    for pairs, least in ((TEXT_PAIRS, 4.5), (SHAPE_PAIRS, 3.0)):
        for front, ground in pairs:
            assert contrast(colours[front], colours[ground]) >= least, (scheme, front, ground)
