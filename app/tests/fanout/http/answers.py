"""What an address answers."""

import asyncio

from tests.fanout.transports import events
from tests.replicas import LIMIT


def problem(answer):
    """Status and code of a refusal, which has to be well-formed."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"title", "status", "detail", "code"} <= set(answer.json())
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["detail"].endswith(".")
    return answer.status_code, answer.json()["code"]


async def first_events(http, path, count, **options):
    """The first events of a stream."""
    found = []
    async with asyncio.timeout(LIMIT), http.stream("GET", path, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in events(answer):
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")
