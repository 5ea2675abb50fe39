"""Lines of the log: whole, readable, and never a flood."""

import io
import json
import logging

import pytest

from fanout.tracing import OnBehalf
from ops import logs
from ops.logs import EVENT_LIMIT, LIMIT, Bound, BoundHandler, JsonFormatter, TextFormatter

HOSTILE = 'a"b\\ \x1b[2J\r\n{"level": "ERROR", "message": "forged"}\n2026-01-01 00:00:00,000 ERROR forged \u2028\u0000'


def record(message="hello %s", *values, level=logging.WARNING, error=None, name="ops.test", **fields):
    made = logging.LogRecord(
        name, level, __file__, 1, message, values or ("you",), error and (type(error), error, None)
    )
    if fields:
        made.fields = fields
    return made


@pytest.fixture(autouse=True)
def replica(monkeypatch):
    monkeypatch.setattr(logs, "_process", {})
    logs.call_me("web-1")


@pytest.fixture
def handler(monkeypatch):
    """A handler that writes into a text, and whose summary is asked for."""
    monkeypatch.setattr("threading.Timer.start", lambda timer: None)
    made = BoundHandler()
    made.setStream(io.StringIO())
    return made


def test_a_json_line_has_what_programs_look_for():
    """Time with its zone, level, logger, message, replica, the id of the request, and what the event has."""
    with OnBehalf({"type": "websocket", "headers": [(b"x-request-id", b"abc")]}):
        line = json.loads(JsonFormatter().format(record(code=4400, reason=None)))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING", "logger": "ops.test", "message": "hello you",
        "replica": "web-1", "connection_id": "abc", "code": 4400,
    }  # fmt: skip


def test_a_text_line_has_the_same_for_people():
    """The replica stands before it already; words with spaces are quoted."""
    line = TextFormatter().format(record(code=4400, reason="Send JSON, please", empty=""))
    assert line.endswith(' WARNING ops.test: hello you code=4400 reason="Send JSON, please" empty=""')


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_a_client_says_ends_no_line(formatter):
    """Neither in a message nor in a field; what a terminal would obey stands escaped."""
    line = formatter.format(record("said %r and %s", HOSTILE, HOSTILE, field=HOSTILE))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_an_error_brings_its_traceback():
    """In JSON within the line; in text set in, so that no line of it can be taken for an event."""
    with pytest.raises(ValueError, match="forged") as caught:
        int(HOSTILE)
    told = record(error=caught.value)
    assert "ValueError" in json.loads(JsonFormatter().format(told))["exception"]
    _, *trace = TextFormatter().format(told).split("\n")
    assert trace
    assert all(line.startswith("    ") and line.isprintable() for line in trace)


def test_a_long_message_is_cut():
    """A line fits into what collectors take."""
    assert len(JsonFormatter().format(record("%s", "x" * 1_000_000))) < 10_000


def test_a_flood_of_one_event_is_cut_and_counted(handler):
    """So many a second; how many were left out is told, and another event is not hindered."""
    for number in range(1000):
        handler.handle(record("refused %s", number))
    handler.handle(record("another %s", "event"))
    handler.tell()
    lines = handler.stream.getvalue().splitlines()
    assert len(lines) == EVENT_LIMIT + 2
    assert lines[-1] == f"left out {1000 - EVENT_LIMIT} more like 'refused %s' within a second"
    handler.tell()
    assert len(handler.stream.getvalue().splitlines()) == EVENT_LIMIT + 2


def test_a_flood_of_different_events_is_cut_too(handler):
    """What puts a stranger's words into its format is told as one kind."""
    for number in range(5000):
        handler.handle(record(f"event {number} %s"))
    handler.close()
    lines = handler.stream.getvalue().splitlines()
    assert len(lines) == LIMIT + 1
    assert lines[-1] == f"left out {5000 - LIMIT} more lines of several kinds within a second"


def test_the_next_second_begins_anew():
    """Nothing is remembered of the one before."""
    now = 0.0
    bound = Bound(lambda: now)
    assert [bound.admits(record()) for _ in range(EVENT_LIMIT + 1)] == [True] * EVENT_LIMIT + [False]
    now = 1.1
    assert bound.admits(record())
    (told,) = bound.take_left_out()
    assert (told.name, told.levelno, told.left_out) == ("ops.test", logging.WARNING, 1)
