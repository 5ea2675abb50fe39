"""A session that ends is ended on every replica of a real fleet."""

import asyncio
import json
import secrets
import time

import httpx
import pytest
from websockets.asyncio.client import unix_connect

from fanout import close_codes
from tests.busy import slowed

pytestmark = pytest.mark.cluster

SECONDS = 60
PROMISED = 5
"""Seconds in which a session that has ended has no sockets any more."""
PASSWORD = "of-a-test-42"  # noqa: S105


async def sign_up(http):
    """Make an account; return the cookie header of its session."""
    await http.get("/accounts/signup/")
    form = {"username": f"u{secrets.token_hex(6)}", "password1": PASSWORD, "password2": PASSWORD}
    answer = await http.post("/accounts/signup/", data=with_token(http, form))
    assert answer.status_code == 302, answer.text
    return f"sessionid={http.cookies['sessionid']}"


def with_token(http, form):
    return {**form, "csrfmiddlewaretoken": http.cookies["csrftoken"]}


async def test_a_log_out_closes_the_sockets_on_every_replica(fleet):
    """4401 on each within the promised time, whichever replica was asked to log out; a guest beside them stays."""
    async with (
        asyncio.timeout(SECONDS),
        httpx.AsyncClient(base_url=f"http://localhost:{fleet.port}", timeout=SECONDS) as http,
    ):
        cookie, mine, guests = await sign_up(http), [], []
        for path in fleet.sockets.values():
            for sockets, headers in ((mine, {"Cookie": cookie}), (guests, {})):
                socket = await unix_connect(
                    str(path), "ws://localhost/ws/", subprotocols=["fanout.v1"], additional_headers=headers
                )
                await socket.send(json.dumps({"type": "join", "group": "chat.revoked", "id": 1}))
                assert json.loads(await socket.recv())["type"] == "joined"
                sockets.append(socket)
        await http.post("/accounts/logout/", data=with_token(http, {}))
        began = time.monotonic()
        for socket in mine:
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (
                close_codes.SESSION_ENDED,
                "Your session has ended: log in again.",
            )
        assert time.monotonic() - began < PROMISED * slowed()
        for socket in guests:
            await (await socket.ping())
            await socket.close()
