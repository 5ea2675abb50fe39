"""Pages in a real browser: another site's, which get nothing, and ours, which show what strangers send as text."""

import asyncio
import contextlib
import http.server
import json
import threading
import uuid

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.demos.test_accounts_page import sign_up

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

MARKUP = "<img src=x onerror=\"document.title='owned'\">"
SECONDS = 30

HIJACK = """async ([base, group]) => {
  const ws = base.replace(/^http/, "ws");
  const socket = (path, names) => new Promise((resolve) => {
    const made = new WebSocket(ws + path, names);
    made.onopen = () => resolve("open");
    made.onclose = ({ code }) => resolve(code);
  });
  const stream = (path) => new Promise((resolve) => {
    const made = new EventSource(base + path, { withCredentials: true });
    made.onopen = () => resolve("open");
    made.onerror = () => { made.close(); resolve("error"); };
  });
  const asked = (path, init = {}) =>
    fetch(base + path, { credentials: "include", ...init })
      .then(async (answer) => answer.type + (await answer.text()), () => "error");
  const data = JSON.stringify({ message: "hijacked" });
  const json = { "Content-Type": "application/json" };
  const path = `/groups/${group}/publications`;
  return {
    plain: await socket("/ws/chat/lobby/"),
    groups: await socket("/ws/", ["fanout.v1"]),
    events: await stream(`/events/${group}`),
    poll: await asked(`/poll/${group}`),
    history: await asked(`/history/${group}`),
    opaque: await asked(`/poll/${group}`, { mode: "no-cors" }),
    publish: await asked(path, { method: "POST", headers: json, body: data }),
    simple: await asked(path, { method: "POST", mode: "no-cors", body: data }),
    beacon: navigator.sendBeacon(base + path, new Blob([data], { type: "text/plain" })),
    ticket: await asked("/tickets", { method: "POST", headers: json, body: "{}" }),
    opaqueTicket: await asked("/tickets", { method: "POST", mode: "no-cors", body: "{}" }),
  };
}"""
"""What a page of another site tries with the visitor's cookies; what a script can read of each."""

FORM = """([address]) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action: address });
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture
def evil():
    """Another site: an empty page on another port, to which a browser sends the same cookies."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<!doctype html><title>evil</title><link rel=icon href='data:,'><body></body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


async def test_a_page_of_another_site_gets_nothing_by_its_visitors_cookies(visit, fleet, evil):
    """No socket, no stream, no poll, no publication, no ticket, no log-out, though the browser sends the cookies."""
    base = fleet.base_url.replace("127.0.0.1", "localhost")
    ada, name = await sign_up(visit, "/chat/hijack/")
    page, group = await ada.page.context.new_page(), f"chat.h{uuid.uuid4().hex[:8]}"
    await page.goto(evil)
    got = await page.evaluate(HIJACK, [base, group])
    assert got.pop("beacon") is True  # it was sent; what became of it is seen below
    assert (got.pop("plain"), got.pop("groups")) == (1006, 1006)
    assert set(got.values()) == {"error"}, got
    async with httpx.AsyncClient(base_url=base, timeout=SECONDS) as program:
        assert (await program.get(f"/history/{group}")).json()["publications"] == []
    for path in ("/accounts/logout/", "/accounts/login/", f"/groups/{group}/publications", "/tickets"):
        await page.goto(evil)
        async with page.expect_navigation() as navigation:
            await page.evaluate(FORM, [base + path])
        assert (await navigation.value).status in (403, 415), path
    await ada.page.reload()
    await ada.page.locator(f'[data-account="{name}"]').wait_for(state="attached")
    await ada.is_line("open")


@contextlib.asynccontextmanager
async def stranger(fleet):
    """A program that speaks fanout.v1 and means no good."""
    async with connect(f"{fleet.ws_url}/ws/", subprotocols=["fanout.v1"]) as socket:

        async def ask(**frame):
            await socket.send(json.dumps({"id": 1, **frame}))
            while (answer := json.loads(await socket.recv())).get("id") != 1:
                pass
            assert answer["type"] in ("ack", "joined"), answer

        yield ask


async def shows(visitor, selector, words=MARKUP):
    """Wait until the words are on the page, as words."""
    await visitor.page.locator(selector).filter(has_text=words).first.wait_for(timeout=SECONDS * 1000)


async def is_itself(visitor):
    """Nothing that a stranger sent is an element, has run, or was even stopped by the page's policy."""
    assert await visitor.page.title() != "owned"
    assert await visitor.page.locator("img[src='x'], [onerror]").count() == 0
    assert visitor.complaints == []


async def test_no_field_of_any_page_is_markup(visit, fleet):
    """Names, messages, series, players, writers: from a program that sends what no page of ours would."""
    room = f"x{uuid.uuid4().hex[:8]}"
    chat, document = await visit(f"/chat/{room}/"), await visit(f"/document/{room}/")
    board, game = await visit(f"/dashboard/{room}/"), await visit(f"/game/{room}/")
    for visitor in (chat, document, board, game):
        await visitor.is_line("open")
    async with stranger(fleet) as ask, httpx.AsyncClient(base_url=fleet.base_url, timeout=SECONDS) as program:
        ticket = (await program.get("/game/ticket")).json()["ticket"]
        # One step is forgotten after two seconds: look from before it on.
        counted = "() => document.querySelector('#players').textContent !== '0'"
        async with asyncio.TaskGroup() as looking:
            looking.create_task(game.page.wait_for_function(counted))
            await asyncio.sleep(0)
            await ask(type="publish", group=f"game.{room}", data={"ticket": ticket, "name": MARKUP, "x": 5, "y": 5})
        await ask(type="publish", group=f"chat.{room}", data={"message": MARKUP, "name": MARKUP})
        await ask(type="join", group=f"chat.{room}", info={"name": MARKUP})
        await ask(type="join", group=f"document.{room}", info={"id": "evil1", "name": MARKUP[:32]})
        cursor = {"id": "evil1", "name": MARKUP[:32], "anchor": MARKUP, "head": MARKUP}
        await ask(type="publish", group=f"cursors.{room}", data=cursor)
        await ask(type="publish", group=f"dashboard.{room}", data={MARKUP: 7})
        await shows(chat, "#messages .message")
        await shows(chat, "#messages .who", MARKUP[:20])
        await shows(document, "#people li", MARKUP[:20])
        await shows(board, "#legend, #table, #charts")
    for visitor in (chat, document, board, game):
        await is_itself(visitor)


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/?next=javascript:alert(1)",
        "/accounts/signup/?next=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/chat/open?room=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/document/open?document=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/dashboard/open?board=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/chat/%3Cscript%3Ealert(1)%3C%2Fscript%3E/",
    ],
)
async def test_an_address_is_not_markup(visit, path):
    """What stands in it is shown as text, or not at all, and leads nowhere."""
    visitor = await visit(path)
    assert await visitor.page.locator("img[src='x'], [onerror], script:not([src])").count() == 0
    assert (
        await visitor.page.locator("[href^='javascript'], [value^='javascript'], [action^='javascript']").count() == 0
    )
    assert all("status of 40" in said for said in visitor.complaints), visitor.complaints
