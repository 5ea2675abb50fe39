"""From one person's report to the lines of the log: the command that the docs give, on a real fleet."""

import asyncio
import json
import re
import subprocess

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fleet.options import REPOSITORY

pytestmark = pytest.mark.cluster

SECONDS = 30
DOCUMENTED = re.compile(r"^ {4}(grep -h ID \.run/logs/\S+)", re.MULTILINE)


def said_by(command):
    """The lines that a person gets who types it."""
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout.splitlines()  # noqa: S602


async def found(fleet, name, count):
    """What the documented command finds of an id; nginx writes within a second."""
    (command,) = DOCUMENTED.findall((REPOSITORY / "deploy/README.md").read_text())
    command = command.replace("ID", name).replace(".run", str(fleet.run_dir))
    async with asyncio.timeout(SECONDS):
        while len(lines := said_by(command)) < count:  # noqa: ASYNC110 - files have no event
            await asyncio.sleep(0.2)
    return lines


async def test_a_refused_handshake_is_found_by_its_id(fleet):
    """In the access log with who answered, and in that replica's log with the reason."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{fleet.ws_url}/ws/chat/a%20b/?token=secret")
    headers = refused.value.response.headers
    access, own = sorted(await found(fleet, headers["X-Request-ID"], 2))[::-1]
    assert json.loads(access)["replica"] == headers["X-Replica"]
    assert "refused" in own
    assert "A room name is" in own
    assert "secret" not in access + own


async def test_a_socket_that_went_wrong_is_found_by_its_id(fleet):
    """Code, reason and who closed."""
    async with connect(f"{fleet.ws_url}/ws/chat/") as client:
        await client.send("no JSON")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        access, own = sorted(await found(fleet, client.response.headers["X-Request-ID"], 2))[::-1]
    assert (json.loads(access)["status"], json.loads(access)["upgrade"]) == ("101", "websocket")
    assert "code=4400 by=replica" in own
