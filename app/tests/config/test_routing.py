"""WebSocket paths: who is served, and how all others are refused."""

import json
import logging

import pytest
from websockets.exceptions import InvalidStatus

from config.asgi import application
from demos.rooms import RULE
from tests.communicators import WebsocketCommunicator

UNKNOWN = "No WebSocket is served on this path; try /ws/chat/ or /ws/."
BAD_ROOM = f"A room name is {RULE}."
BAD_ROOMS = ["a%20b", "caf%C3%A9", "x" * 65, "a/b", "a%0A", "%00", "a$", "/"]
GOOD_ROOMS = ["lobby", "A-Z_0.9", "x" * 64, "..."]
ELSEWHERE = ["/", "/ws", "/ws/other/", "/ws/chat", "/nothing", "/WS/chat/", "//ws/chat/"]


async def refusal(replica, path, **options):
    """Return status and text of a refused handshake."""
    with pytest.raises(InvalidStatus) as caught:
        await replica.websocket(path, **options)
    response = caught.value.response
    assert response.headers["X-Replica"] == "web-1"
    return response.status_code, response.body.decode().strip()


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_an_unknown_path_is_refused_with_those_that_are_served(replica, path):
    """404 and a sentence; no stack trace."""
    assert await refusal(replica, path) == (404, UNKNOWN)
    assert "Traceback" not in replica.log


@pytest.mark.parametrize("room", BAD_ROOMS)
async def test_a_bad_room_is_refused_with_the_rule(replica, room):
    """404, and the text says which names may be."""
    assert await refusal(replica, f"/ws/chat/{room}/") == (404, BAD_ROOM)
    assert "[A-Za-z0-9_.-]{1,64}" in BAD_ROOM
    assert "Traceback" not in replica.log


@pytest.mark.parametrize("room", GOOD_ROOMS)
async def test_a_good_room_is_served(replica, room):
    """Its plain client hears itself."""
    async with replica.websocket(f"/ws/chat/{room}/") as client:
        await client.send('{"message": "hi"}')
        assert json.loads(await client.recv())["message"] == "hi"


async def test_the_bare_path_needs_the_subprotocol(replica):
    """A plain client has no group there."""
    status, _ = await refusal(replica, "/ws/")
    assert status in (403, 404)
    async with replica.websocket("/ws/", subprotocols=["fanout.v1"]) as client:
        assert client.subprotocol == "fanout.v1"


async def test_another_sites_page_is_refused(replica):
    """403, and the log says what to do if it is one's own."""
    status, _ = await refusal(replica, "/ws/chat/", origin="https://evil.example")
    assert status == 403
    replica.said("refused a WebSocket from the page.*FANOUT_TRUSTED_ORIGINS")


async def test_a_page_in_the_clear_is_another_site_over_tls(replica):
    """How a client came says nginx: who came by TLS brings no page that others on the way could have written."""
    ours = {"origin": "http://localhost", "host": "localhost", "x-forwarded-proto": "https"}
    clear = {**ours, "x-forwarded-proto": "http"}
    assert replica.get("/poll/chat.a?wait=0", headers=ours)[0] == 403
    assert replica.get("/poll/chat.a?wait=0", headers=clear)[0] == 200
    page = {"path": "/ws/chat/", "origin": "http://localhost"}
    assert (await refusal(replica, **page, additional_headers={"X-Forwarded-Proto": "https"}))[0] == 403
    async with replica.websocket(**page, additional_headers={"X-Forwarded-Proto": "http"}):
        pass


@pytest.mark.parametrize("path", ["/nothing", "/ws/chat/", "/chat/a%20b/"])
def test_over_http_an_unknown_path_is_a_404(replica, path):
    """A page, not a stack trace."""
    status, headers, body = replica.get(path)
    assert (status, headers["X-Replica"]) == (404, "web-1")
    assert b"Traceback" not in body


def test_a_program_gets_a_404_that_it_can_read(replica):
    """Problem details (RFC 9457) for who prefers JSON."""
    status, headers, body = replica.get("/nothing", headers={"Accept": "application/json"})
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(body)["status"] == 404


# -- on a server without the extension websocket.http.response -----------------------------------------


@pytest.mark.parametrize(("path", "sentence"), [("/nothing", UNKNOWN), ("/ws/chat/a$/", BAD_ROOM)])
async def test_elsewhere_a_refusal_is_a_close_with_the_reason(path, sentence, caplog):
    """The server makes a 403 of it."""
    communicator = WebsocketCommunicator(application, path)
    with caplog.at_level(logging.ERROR):
        await communicator.send_input({"type": "websocket.connect"})
        answer = await communicator.receive_output()
    assert (answer["type"], answer["reason"]) == ("websocket.close", sentence)
    assert not caplog.records
    await communicator.wait()
