"""The same applications on servers that are not ours."""

import asyncio
import json
import socket
import time

import pytest

from tests.replicas import LIMIT, Server
from tests.server.starts import APPLICATION, PROJECT

EXTENSIONS = ["fanout.replica", "fanout.socket", "websocket.http.response"]


def daphne_on_a_path(starter):
    server = starter.python("daphne", "-u", starter.folder / "plain.sock", PROJECT)
    server.path = starter.folder / "plain.sock"
    return starter.listens(server, "Configuring endpoint unix")


def daphne_on_a_port(starter):
    return starter.tcp("daphne", "-p", "0", PROJECT)


def uvicorn_on_a_port(starter):
    return starter.tcp("uvicorn", "--port", "0", PROJECT)


@pytest.mark.parametrize("serve", [daphne_on_a_path, daphne_on_a_port, uvicorn_on_a_port])
async def test_the_project_runs_on_other_servers(start, serve):
    """The page, a plain client and a fanout.v1 client are served; the replica is named by host and process."""
    server = serve(start)
    async with asyncio.timeout(LIMIT):
        status, headers, body = await asyncio.to_thread(until_it_answers, server)
        assert (status, headers.get_content_type(), b"<html" in body) == (200, "text/html", True)
        async with server.websocket("/ws/chat/") as plain, server.websocket("/ws/", subprotocols=["fanout.v1"]) as many:
            await many.send('{"type":"join","id":1,"group":"chat.lobby"}')
            joined = json.loads(await many.recv())
            assert joined["type"] == "joined"
            assert joined["replica"] == f"{socket.gethostname()}-{server.pid}"
            await plain.send('{"message": "hi"}')
            assert json.loads(await plain.recv())["message"] == "hi"
            assert json.loads(await many.recv())["data"]["message"] == "hi"
            await plain.send("no JSON")
            await plain.wait_closed()
            assert plain.close_code == (4400 if "uvicorn" in server.popen.args else plain.close_code)
        assert json.loads(server.get("/readyz")[2])["connections"] is None


def until_it_answers(server: Server):
    """Return the page; `daphne -u` says that it listens before it does."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return server.get("/")
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.01)


async def test_our_extensions_are_absent_elsewhere(scripted, script):
    """An application that asks for them finds none under plain Daphne, and all of them here."""
    servers = {scripted.tcp("daphne", "-p", "0", APPLICATION): [], scripted.replica(APPLICATION): EXTENSIONS}
    for server, extensions in servers.items():
        async with server.websocket(script({"type": "websocket.accept"})):
            assert server.said(r"noted: connect websocket.connect (.*)")[1] == str(extensions)
