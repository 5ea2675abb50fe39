"""PROTOCOL.md says what the code does."""

import re
from pathlib import Path

import msgspec
import pytest

import fanout
from fanout import close_codes, errors, groups, history, protocol
from fanout.accounts import tickets
from fanout.durable import feed, follower
from fanout.http import events, poll, polled, problems
from fanout.http import history as older
from fanout.limits import admission, bounds
from fanout.presence import view

FOLDER = Path(fanout.__file__).parent
TEXT = (FOLDER / "PROTOCOL.md").read_text(encoding="utf-8")
CLIENT = (FOLDER / "static/fanout/http.js").read_text(encoding="utf-8")
LIMITS = bounds.Limits()


def rows(heading):
    """The first cells of the table below a heading, without their marks."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [cell.strip("`") for cell in re.findall(r"^\| (`?\w+`?) \|", section, re.MULTILINE)]


def test_every_error_code_is_explained():
    """The table of errors has every code that the package can send, and no other."""
    codes = {error.code for error in errors.FanoutError.__subclasses__()}
    assert set(rows("Errors")) - {"code"} == codes


def test_every_close_code_is_explained_with_its_invitation():
    """Each close code of ours stands in the table, and "no" stands where a client should not return."""
    section = TEXT.split("\n## Close codes\n")[1]
    told = {int(code): end for code, end in re.findall(r"^\| (\d{4}) \|.*\| (.*) \|$", section, re.MULTILINE)}
    known = {value for name, value in vars(close_codes).items() if name.isupper() and isinstance(value, int)}
    assert set(told) == known - {close_codes.ABNORMAL}
    for code, end in told.items():
        assert close_codes.may_return(code) is not end.startswith("no"), code


@pytest.mark.parametrize("frame", [protocol.Join, protocol.Leave, protocol.Publish, protocol.Authenticate])
def test_every_field_of_a_clients_frame_is_explained(frame):
    """The row of each frame names each of its fields."""
    info = msgspec.inspect.type_info(frame)
    (row,) = re.findall(rf"^\| `{info.tag}` \| (.*) \|$", TEXT, re.MULTILINE)
    assert {field.name for field in info.fields} <= set(re.findall(r"`(\w+)`", row))


def test_the_reasons_of_a_reset_are_explained():
    """Both reasons stand in the text."""
    for reason in feed.RESET_REASONS:
        assert f"| `{reason}` |" in TEXT


def test_the_limits_are_the_codes():
    """Figures in the text are those of the constants."""
    assert f"1 to {protocol.KEY_LIMIT} characters" in TEXT
    assert f"0 to {protocol.LAST_LIMIT}" in TEXT
    assert f"{protocol.INFO_LIMIT} bytes" in TEXT
    assert f"more than {view.MEMBERS_LIMIT} members" in TEXT
    assert f"within {history.KEY_WINDOW / 60:g} minutes" in TEXT
    assert f"for {follower.STALL_LIMIT:g} s is closed" in TEXT
    assert f"for {tickets.LIFETIME:g} seconds" in TEXT
    assert f"`{tickets.PREFIX}<ticket>`" in TEXT
    assert groups.RULE.startswith("1 to 99 of letters")
    assert "1 to 99 letters" in TEXT
    assert f"in {LIMITS.groups_per_connection} groups already" in TEXT
    assert f"silent for {'two minutes' if LIMITS.idle_seconds == 120 else LIMITS.idle_seconds}" in TEXT
    assert f"in spite of {'a thousand' if admission.FLOOD == 1000 else admission.FLOOD} refusals" in TEXT
    assert f"{bounds.PORTION // 1024} KiB of\na frame, or {bounds.BRACKETS} opening brackets" in TEXT
    assert f"more than {bounds.CONTAINERS:,} brackets" in TEXT


def test_every_code_of_http_is_explained_with_its_status():
    """Both tables of statuses are those of the code."""
    section = TEXT.split("\n## Over plain HTTP\n")[1].split("\n## ")[0]
    told = {
        code: int(status)
        for codes, status in re.findall(r"^\| (`.*`) \| (\d{3})\b.* \|$", section, re.MULTILINE)
        for code in re.findall(r"\w+", codes)
    }
    assert told == {error.code: int(status) for error, status in problems.STATUSES.items()} | problems.HTTP_CODES


def test_the_times_and_limits_of_http_are_the_codes():
    """Figures in the text are those of the constants."""
    section = TEXT.split("\n## Over plain HTTP\n")[1].split("\n## ")[0]
    assert f"after {events.HEARTBEAT:g} s of silence" in section
    assert f"within {poll.WAIT} s" in section
    assert f"0 to {poll.WAIT} seconds" in section
    assert f"cut at {polled.ANSWER_LIMIT >> 20} MiB" in section
    assert f"1 to {older.PAGE_LIMIT}, how many at most ({older.LAST})" in section
    (milliseconds,) = re.findall(r"^export const FIRST_MS = ([\d_]+);$", CLIENT, re.MULTILINE)
    assert f"comes within {int(milliseconds) // 1000} s, and" in " ".join(section.split())
