"""A real replica's streams and polls behind nginx, over HTTP/2: many at once on one connection."""

import asyncio
import contextlib
import json

import httpx
import pytest

from tests.fanout.transports import events, post
from tests.replicas import LIMIT, Starter

STREAMS = 12
"""More than the six connections that a browser has for a host over HTTP/1.1."""


@pytest.fixture
async def http2(secure_edge):
    """A client that speaks HTTP/2 with nginx, which has one replica with the layer within its process."""
    with contextlib.closing(Starter(secure_edge.folder / "sockets")) as starter:
        starter.replica()
        async with httpx.AsyncClient(
            http2=True, verify=secure_edge.context, base_url=secure_edge.secure_url, timeout=LIMIT
        ) as client:
            yield client


async def test_streams_polls_and_publications_share_one_connection(http2):
    """Each publication comes on each stream when it is made, while a poll waits beside them."""
    async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:
        begun = (await http2.get("/poll/chat.a")).json()
        polling = asyncio.create_task(http2.get("/poll/chat.a", params={"since": begun["since"]}))
        streams = []
        for _ in range(STREAMS):
            answer = await stack.enter_async_context(http2.stream("GET", "/events?group=chat.a"))
            assert answer.http_version == "HTTP/2"
            streams.append(events(answer))
        for number in range(3):
            assert (await post(http2, "chat.a", {"message": str(number)})).status_code == 201
            for stream in streams:
                while (event := await anext(stream)).get("event") or "data" not in event:
                    pass
                assert json.loads(event["data"])["data"] == {"message": str(number)}
        assert [each["data"] for each in (await polling).json()["publications"]] == [{"message": "0"}]
