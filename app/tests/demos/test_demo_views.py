"""The pages of game, dashboard and front page as the server sends them: addresses, errors, policy, markup."""

import pytest

from demos.game.player import player_of
from demos.pages import not_found, server_error
from fanout.tracing import OnBehalf

from .test_chat_views import BAD_ROOMS, Markup, no_collected_files  # noqa: F401 - a fixture

PAGES = ["/", "/game/", "/game/tea/", "/document/tea/", "/dashboard/", "/dashboard/office/"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_forbid_whatever_they_do_not_need(client, path):
    """The markup keeps to the policy of app/config/headers.py: nothing inline, nothing from elsewhere."""
    response = client.get(path)
    assert response.status_code == 200
    markup = Markup(response)
    assert not [tag for tag, attrs in markup.tags if tag == "style" or "style" in attrs]
    assert not [name for _, attrs in markup.tags for name in attrs if name.startswith("on")]
    assert all("src" in attrs for attrs in markup.all("script"))
    addresses = [attrs.get("src") or attrs.get("href") for attrs in markup.all("script", "link", "img", "a")]
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in addresses)


@pytest.mark.parametrize("path", PAGES)
def test_every_control_has_a_name_and_every_reference_a_target(client, path):
    """Labels and descriptions point at what is there; one heading says where one is, one main part holds it."""
    markup = Markup(client.get(path))
    ids = [attrs["id"] for _, attrs in markup.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["id"] for attrs in markup.all("input", "textarea")} <= {attrs["for"] for attrs in markup.all("label")}
    references = [
        target
        for _, attrs in markup.tags
        for name in ("aria-describedby", "aria-controls", "aria-labelledby", "for")
        for target in attrs.get(name, "").split()
    ]
    assert set(references) <= set(ids)
    assert len(markup.all("h1")) == len(markup.all("main")) == 1
    assert markup.all("html")[0]["lang"] == "en"


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_only_read(client, path):
    """Nothing is posted to them, HEAD works, and the slash may be forgotten."""
    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200
    if path != "/":
        assert client.get(path.rstrip("/")).headers["Location"] == path


@pytest.mark.parametrize("path", PAGES)
def test_every_demo_is_one_step_away(client, path):
    """From each page to each other one, and all of them exist."""
    links = {attrs["href"] for attrs in Markup(client.get(path)).all("a")}
    assert {"/", "/chat/lobby/", "/game/", "/document/", "/dashboard/"} <= links
    for link in links - {"#content"}:
        assert client.get(link, follow=True).status_code == 200


@pytest.mark.parametrize(
    ("path", "name"), [("/game/tea/", "Game"), ("/document/tea/", "Document"), ("/dashboard/", "Dashboard")]
)
def test_where_one_is_is_marked(client, path, name):
    """In the navigation, for eyes and for screen readers; on the front page nothing is."""
    (current,) = [attrs["href"] for attrs in Markup(client.get(path)).all("a") if attrs.get("aria-current") == "page"]
    assert current == f"/{name.lower()}/"
    assert not [attrs for attrs in Markup(client.get("/")).all("a") if "aria-current" in attrs]


@pytest.mark.parametrize("demo", ["game", "document", "dashboard"])
@pytest.mark.parametrize("name", [name for name in BAD_ROOMS if "/" not in name])
def test_a_bad_name_is_no_page(client, demo, name):
    """An error page, not a board or an arena that no group can have."""
    assert client.get(f"/{demo}/{name}/").status_code == 404


def test_the_form_leads_to_a_board(client):
    """Without JavaScript too; a bad name is told the rule, the fleet's name is the fleet's board."""
    assert client.get("/dashboard/open?board=+office+").headers["Location"] == "/dashboard/office/"
    assert client.get("/dashboard/open?board=").headers["Location"] == "/dashboard/"
    assert client.get("/dashboard/fleet/").headers["Location"] == "/dashboard/"
    response = client.get("/dashboard/open?board=a+b")
    assert response.status_code == 404
    assert "[A-Za-z0-9_.-]{1,64}" in response.content.decode()


def test_a_ticket_is_a_new_player_each_time_and_nobody_keeps_it(client):
    """What a ticket proves is the id beside it."""
    one, other = client.get("/game/ticket"), client.get("/game/ticket")
    assert player_of(one.json()["ticket"]) == one.json()["player"] != other.json()["player"]
    assert "no-store" in one.headers["Cache-Control"]
    assert client.post("/game/ticket").status_code == 405


def test_the_arenas_page_is_not_kept(client):
    """It holds the server's time."""
    assert "no-store" in client.get("/game/").headers["Cache-Control"]


def test_a_fault_of_ours_names_the_request(rf):
    """Whoever reports it leads to the lines of the log; an error of the visitor's is no such case."""
    request = rf.get("/", headers={"Accept": "text/html"})
    with OnBehalf({"type": "http", "headers": [(b"x-request-id", b"abcdef0123456789")]}):
        assert b"<code>abcdef0123456789</code>" in server_error(request).content
        assert b"abcdef0123456789" not in not_found(request, Exception()).content
    assert b"<code>" not in server_error(request).content
