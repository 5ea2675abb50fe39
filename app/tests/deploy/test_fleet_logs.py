import io
import json
from pathlib import Path

import pytest

from fleet import logs
from fleet.errors import NothingRunsError, UsageError
from fleet.logs import Follower, is_expected, readable
from fleet.options import Options
from fleet.progress import Progress

EMPTY = (
    "2026/11/22 19:09:37 [crit] 9#9: *3 connect() to unix:/a/sockets/web-13.sock failed (2: No such file or directory) "
    'while connecting to upstream, client: 127.0.0.1, server: _, request: "GET / HTTP/1.1"'
)


def test_an_empty_slot_is_expected():
    """Missing and dead sockets are, anything else is not."""
    assert is_expected(EMPTY)
    assert is_expected(EMPTY.replace("2: No such file or directory", "111: Connection refused"))
    assert not is_expected(EMPTY.replace("2: No such file or directory", "13: Permission denied"))
    assert not is_expected("2026/11/22 [error] 9#9: *3 no live upstreams while connecting to upstream")
    assert not is_expected('[crit] open() "/x/static/a.js" failed (2: No such file or directory)')


def test_an_event_in_json_is_read_as_a_line():
    """With its fields behind it and its traceback below; what is no event stays as it is."""
    event = {"time": "T", "level": "INFO", "logger": "a.b", "message": "closed", "replica": "web-1", "code": 4400}
    assert readable(json.dumps(event)) == ["T INFO a.b: closed code=4400"]
    assert readable(json.dumps({**event, "exception": "one\ntwo"}))[1:] == ["    one", "    two"]
    for line in ("T INFO a.b: closed", '{"time": "T", "request_id": "x"}', '{"time"', "{}", ""):
        assert readable(line) == [line]


def test_lines_come_under_their_name_as_they_come(run):
    """The tail first, then what is new; half a line waits for its end; expected lines are left out."""
    log = run.logs / "web-1.log"
    log.write_text("".join(f"old {number}\n" for number in range(30)))
    (run.logs / "nginx.log").write_text(EMPTY + "\nreal trouble\n")
    out = io.StringIO()
    follower = Follower(run, None, out)
    follower.show()
    shown = out.getvalue().splitlines()
    assert shown[0] == "nginx | real trouble"
    assert shown[1] == "web-1 | old 10"
    assert len(shown) == 21
    out.truncate(0), out.seek(0)
    with log.open("a") as file:
        file.write("new\nhal")
    follower.show()
    assert out.getvalue() == "web-1 | new\n"
    with log.open("a") as file:
        file.write("f\n")
    follower.show()
    assert out.getvalue() == "web-1 | new\nweb-1 | half\n"


@pytest.mark.parametrize("more", range(0, len(EMPTY) + 1, 20))
def test_a_long_log_is_not_begun_within_a_line(run, more):
    """Wherever the tail of a log begins: the end of a line that is cut there is not shown for a line."""
    log = run.logs / "nginx.log"
    log.write_text("x" * more + "\n" + f"{EMPTY}\n" * (2 * logs.TAIL_BYTES // len(EMPTY)) + "real trouble\n")
    out = io.StringIO()
    Follower(run, None, out).show()
    assert out.getvalue() == "nginx | real trouble\n"


def test_rotation_and_new_logs_lose_nothing(run):
    """A file that takes the name of another is read from its start, and so is one that appears."""
    log = run.logs / "web-1.log"
    log.write_text("one\n")
    out = io.StringIO()
    follower = Follower(run, None, out)
    follower.show()
    log.rename(run.logs / "web-1.log.1")
    log.write_text("two\n")
    (run.logs / "web-2.log").write_text("born\n")
    follower.show()
    assert out.getvalue().splitlines() == ["web-1 | one", "web-1 | two", "web-2 | born"]


def test_requests_are_shown_only_when_asked_for(run):
    """The access log hides everything else."""
    (run.logs / "access.log").write_text("{}\n")
    (run.logs / "web-1.log").write_text("hello\n")
    everything, named = io.StringIO(), io.StringIO()
    Follower(run, None, everything).show()
    Follower(run, "access", named).show()
    assert everything.getvalue() == "web-1 | hello\n"
    assert named.getvalue() == "access | {}\n"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("real\rnginx | forged", r"real\rnginx | forged"),
        ("a\u2028b\x85c\x0bd", r"a\u2028b\x85c\x0bd"),
        ("\u202edesrever", r"\u202edesrever"),
        ("tab\tand ümlaut 🎉", "tab\tand ümlaut 🎉"),
    ],
)
def test_a_terminal_obeys_nothing_in_a_log(run, written, shown):
    """What is not printable is escaped: what a client sent neither moves the cursor nor begins a line."""
    (run.logs / "web-1.log").write_bytes(f"{written}\n".encode())
    out = io.StringIO()
    Follower(run, None, out).show()
    assert out.getvalue() == f"web-1 | {shown}\n"


def test_an_unknown_name_is_told_the_known_ones(run):
    """And no log at all says how to begin."""
    asked = Options("logs", run.root, Path("/dev/null"), name="web-9", follow=False)
    with pytest.raises(NothingRunsError, match="make up"):
        logs.logs(asked, run, Progress())
    (run.logs / "web-1.log").write_text("")
    with pytest.raises(UsageError, match="no log of web-9: take one of web-1"):
        logs.logs(asked, run, Progress())
