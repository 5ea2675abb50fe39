"""Whose request a line of the log is about."""

import asyncio

import pytest

from fanout.tracing import OnBehalf, Traced, TracedHandler, ids, request_id_of

GIVEN = b"0af7651916cd43dd8448eb211c80319c"


def scope(kind="http", given=GIVEN):
    return {"type": kind, "headers": [(b"host", b"x"), (b"x-request-id", given)]}


async def test_a_task_that_outlives_the_request_is_nobodys():
    """It has the id while the request is served, and none afterwards; nor does it keep the scope."""
    over, told = asyncio.Event(), []

    async def outlives():
        told.append(ids())
        await over.wait()
        told.append(ids())

    with OnBehalf(scope()):
        task = asyncio.create_task(outlives())
        await asyncio.sleep(0)
        assert ids() == {"request_id": GIVEN.decode()}
    assert ids() == {}
    over.set()
    await task
    assert told == [{"request_id": GIVEN.decode()}, {}]


def test_a_websockets_id_is_called_the_connections():
    """It lives longer than a request; one within another is told alone."""
    with OnBehalf(scope()):
        with OnBehalf(scope("websocket", b"inner")):
            assert ids() == {"connection_id": "inner"}
        assert ids() == {"request_id": GIVEN.decode()}


@pytest.mark.parametrize("given", [b"", b"a b", b"a\nb", b"a" * 65, b"\xff", b'"', b"a=b"])
def test_what_is_no_id_is_left_out(given):
    """Where nobody stands in front, a client may say anything."""
    assert request_id_of(scope(given=given)) is None
    with OnBehalf(scope(given=given)):
        assert ids() == {}


@pytest.mark.parametrize(("given", "answered"), [(GIVEN, [GIVEN]), (b"a\r\nb", [])])
async def test_the_answer_names_the_request(given, answered):
    """Once, beside the headers that it has; an id that is none is not said back."""
    sent = []

    async def application(scope, receive, send):
        assert bool(ids()) is bool(answered)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(event):
        sent.append(event)

    await Traced(application)(scope(given=given), None, send)
    headers = sent[0]["headers"]
    assert headers[0] == (b"a", b"b")
    assert [value for name, value in headers if name == b"x-request-id"] == answered
    assert len(sent) == 2


async def test_a_handlers_messages_are_the_connections():
    """And its end; in between nobody's."""
    told = []

    class Handler:
        async def receive(self, event):
            told.append((event, ids()))

        async def disconnect(self):
            told.append(("end", ids()))

    handler = TracedHandler(scope("websocket"), Handler())
    await handler.receive("event")
    assert ids() == {}
    await handler.disconnect()
    mine = {"connection_id": GIVEN.decode()}
    assert told == [("event", mine), ("end", mine)]
