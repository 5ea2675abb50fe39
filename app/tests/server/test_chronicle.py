"""What a replica logs of WebSockets: real processes."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fanout.origin import NOT_YOURS
from tests.replicas import LIMIT

PROJECT = "config.asgi:application"
ID = "0af7651916cd43dd8448eb211c80319c"
MINE = {"X-Request-ID": ID, "X-Real-IP": "198.51.100.7"}


def replica(start, level):
    environment = {"FANOUT_LOG_FORMAT": "json", "FANOUT_LOG_LEVEL": level, "FANOUT_REDIS_URLS": ""}
    return start.replica(PROJECT, environment=environment)


def lines(server, message):
    """What was logged of this kind; every line of the log is one JSON object."""
    told = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in told)
    return [line for line in told if line["message"] == message]


async def test_who_is_refused_is_told_with_why(start):
    """Under the id of the handshake, which the answer names too; without the query, in one line."""
    server = replica(start, "INFO")
    async with asyncio.timeout(LIMIT):
        with pytest.raises(InvalidStatus) as refused:
            await server.websocket("/ws/chat/%0A%22forged/?token=secret", additional_headers=MINE)
        assert refused.value.response.headers["X-Request-ID"] == ID
        with pytest.raises(InvalidStatus) as foreign:
            await server.websocket("/ws/", origin="http://evil.example", additional_headers=MINE)
        assert foreign.value.response.headers["X-Request-ID"] == ID
    server.said('"status": 403')
    (room, origin) = lines(server, "refused")
    assert (room["status"], room["connection_id"], room["client"]) == (404, ID, "198.51.100.7")
    assert (room["path"], room["replica"]) == ("/ws/chat/%0A%22forged/", "web-1")
    assert room["reason"].startswith("A room name is ")
    assert (origin["status"], origin["reason"]) == (403, NOT_YOURS)
    (warning,) = [json.loads(line) for line in server.lines if "evil.example" in line]
    assert (warning["level"], warning["connection_id"]) == ("WARNING", ID)
    assert "secret" not in server.log


async def test_an_end_that_tells_of_a_fault_is_told_and_an_ordinary_one_is_not(start):
    """Who closed, with which code and reason, after how long; what was said stands nowhere."""
    server = replica(start, "INFO")
    async with asyncio.timeout(LIMIT):
        async with server.websocket("/ws/chat/tea/", additional_headers=MINE) as client:
            await client.send('{"message": "a word of mine"}')
            await client.recv()
        async with server.websocket("/ws/chat/tea/", additional_headers=MINE) as client:
            await client.send("no JSON of mine")
            with pytest.raises(ConnectionClosed):
                await client.recv()
    server.said('"closed"')
    (closed,) = lines(server, "closed")
    assert (closed["code"], closed["by"], closed["connection_id"]) == (4400, "replica", ID)
    assert closed["reason"].startswith("Send JSON")
    assert lines(server, "opened") == []
    assert "of mine" not in server.log


async def test_everybody_is_told_of_at_level_debug(start):
    """In and out, with the same id; one who brings none has none, one that is none is not heard."""
    server = replica(start, "DEBUG")
    async with asyncio.timeout(LIMIT):
        for headers in (MINE, {}, {"X-Request-ID": 'a"b'}):
            async with server.websocket("/ws/", subprotocols=["fanout.v1"], additional_headers=headers) as client:
                assert client.response.headers.get("X-Request-ID") == (ID if headers is MINE else None)
            server.said('"message": "closed"')
    opened, closed = lines(server, "opened"), lines(server, "closed")
    for told in (opened, closed):
        assert [line.get("connection_id") for line in told] == [ID, None, None]
    assert opened[0]["subprotocol"] == "fanout.v1"
    assert (closed[0]["code"], closed[0]["by"]) == (1000, "client")


async def test_a_flood_of_refusals_is_no_flood_of_lines(start):
    """A few of them, and how many more there were."""
    server = replica(start, "INFO")

    async def knock():
        with pytest.raises(InvalidStatus):
            await server.websocket("/nowhere/")

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(knock() for _ in range(60)))
    server.said('"left_out": ')
    told = lines(server, "refused")
    assert len(told) < 60
    left_out = sum(json.loads(line).get("left_out", 0) for line in server.lines if "left out" in line)
    assert len(told) + left_out <= 60


async def test_a_request_is_answered_with_its_id(start):
    """By pages, probes and fallbacks alike."""
    server = replica(start, "INFO")
    for path in ("/healthz", "/nowhere", "/poll/chat.tea?last=1", "/events/nobodys.group"):
        assert server.get(path, {**MINE, "Host": "localhost"})[1].get_all("X-Request-ID") == [ID], path
