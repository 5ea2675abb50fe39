"""What every answer tells a browser to forbid, on every route, by whichever part of the stack it is answered."""

import base64
import contextlib
import hashlib
import re

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern, get_resolver

from config.asgi import application
from config.headers import DEFAULTS, secure_cookies
from fleet.nginx import TEMPLATES

LIMIT = 30
FORBIDDEN = re.compile(r"unsafe|\*|data:|http:|https:")
"""What would open a content security policy."""
SAMPLES = {"room": "tea", "arena": "tea", "board": "office", "name": "tea", "document": "notes"}
OUTSIDE_DJANGO = [
    "/healthz", "/readyz", "/version", "/metrics", "/ops/targets", "/openapi.json",
    "/events", "/events/chat.lobby", "/poll/chat.lobby", "/poll/a%20b", "/history/chat.lobby", "/history/game.main",
    "/groups/chat.lobby/publications", "/static/fanout/page.css", "/static/no.css", "/no/such/page",
]  # fmt: skip


def routes(patterns=None, before=""):
    """Yield an address for each route of Django's."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: SAMPLES.get(match[1], "1"), route)
        else:
            yield from routes(each.url_patterns, route)


async def head_of_answer(path, query=b""):
    """Ask the whole application; return the headers of what it answers. A stream has no end: the client goes."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asked = ApplicationCommunicator(application, scope)
    await asked.send_input({"type": "http.request", "body": b"", "more_body": False})
    answer = await asked.receive_output(LIMIT)
    await asked.send_input({"type": "http.disconnect"})
    with contextlib.suppress(TimeoutError):
        await asked.wait(LIMIT)
    return answer["headers"]


@pytest.mark.parametrize("path", sorted({*routes(), *OUTSIDE_DJANGO}))
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")  # WhiteNoise's, without nginx before it
async def test_every_answer_has_the_headers_once(memory_default_layer, path):
    """Whatever its status: nothing inline or from elsewhere, in no frame, of no other type, and no feature unasked."""
    headers = await head_of_answer(path, b"wait=0" if path.startswith("/poll") else b"")
    names = [name.lower() for name, _ in headers]
    assert [name for name in DEFAULTS if names.count(name) != 1] == []
    told = {name.lower(): value.decode() for name, value in headers}
    assert "frame-ancestors 'none'" in told[b"content-security-policy"]
    assert not FORBIDDEN.search(told[b"content-security-policy"])
    assert told[b"x-content-type-options"] == "nosniff"


def test_nginx_other_answers_have_them_all():
    """A header that is added here is added there."""
    snippet = (TEMPLATES / "snippets" / "headers.conf").read_text()
    told = {name.lower() for name in re.findall(r"^add_header (\S+) ", snippet, re.MULTILINE)}
    assert told == {name.decode() for name in DEFAULTS} | {"strict-transport-security"}
    assert f'"{DEFAULTS[b"permissions-policy"]}"' in snippet


@pytest.mark.parametrize("name", ["static.conf", "unavailable.conf", "limited.conf"])
def test_files_of_nginx_have_those_that_files_need(name):
    """Nginx answers for itself there: the policy is as strict, and error statuses have it too."""
    snippet = (TEMPLATES / "snippets" / name).read_text()
    told = dict(re.findall(r'add_header (\S+) "?([^"\n]*?)"? always;', snippet))
    assert {name.lower() for name in told} >= {name.decode() for name in DEFAULTS} | {"strict-transport-security"}
    assert told["Permissions-Policy"] == DEFAULTS[b"permissions-policy"]
    assert "frame-ancestors 'none'" in told["Content-Security-Policy"]
    assert not FORBIDDEN.search(told["Content-Security-Policy"])


def test_the_page_for_no_replica_may_show_its_own_style():
    """The policy names the hash of the one style in it, and it has no script."""
    page = (TEMPLATES / "errors" / "unavailable.html").read_text()
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in (TEMPLATES / "snippets" / "unavailable.conf").read_text()
    assert "<script" not in page


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", "")])
def test_a_cookie_that_came_by_tls_stays_with_it(scheme, secure):
    """Without TLS it has to come back by plain HTTP, or nobody could log in."""

    def view(_):
        response = HttpResponse()
        response.set_cookie("sessionid", "x")
        return response

    request = RequestFactory().get("/", headers={"X-Forwarded-Proto": scheme})
    assert secure_cookies(view)(request).cookies["sessionid"]["secure"] == secure
