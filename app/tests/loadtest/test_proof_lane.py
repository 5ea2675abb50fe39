import struct

import pytest
from hiredis import Reader
from hypothesis import given
from hypothesis import strategies as st

from proof.faults.lane import Faults, Lane
from proof.faults.pieces import Frames, Values, value_end

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nX-Replica: web-1\r\n\r\n"
CLOSE, PING = b"\x88\x02\x03\xe8", b"\x89\x00"


def frame(payload):
    """A text frame as a server sends it."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


def message(payload, channel=b"chat.lobby", kind=b"*", name=b"message"):
    """A message of pub/sub as Redis sends it."""
    words = [b"$%d\r\n%s\r\n" % (len(word), word) for word in (name, channel, payload)]
    return kind + b"3\r\n" + b"".join(words)


def frames(faults, *payloads):
    """What a client gets of these texts, through one connection."""
    lane = Lane(faults, Frames())
    out = lane.feed(HEAD + b"".join(map(frame, payloads)) + CLOSE)
    assert out.startswith(HEAD)
    assert out.endswith(CLOSE)
    return [piece.data[2:] for piece in Frames().feed(out)[1:-1]]


LETTERS = [b"a", b"b", b"c", b"d", b"e", b"f"]


@pytest.mark.parametrize(
    ("faults", "arrives"),
    [
        (Faults(), b"abcdef"),
        (Faults(drop=3), b"abde"),
        (Faults(double=3), b"abccdeff"),
        (Faults(swap=2), b"acbedf"),
        (Faults(swap=6), b"abcdef"),
        (Faults(drop=1, holding=b"c"), b"abdef"),
        (Faults(drop=2, double=3), b"acce"),
    ],
)
def test_a_fault_befalls_one_in_so_many(faults, arrives):
    """Of those that hold the text; one that has no neighbour to be swapped with arrives before the close frame."""
    assert b"".join(frames(faults, *LETTERS)) == arrives


def test_faults_are_counted_over_all_connections():
    """One in four is dropped of what two connections carry together, and the line says so."""
    faults = Faults(drop=4)
    assert frames(faults, *LETTERS[:3]) == LETTERS[:3]
    assert frames(faults, *LETTERS[:3]) == LETTERS[1:3]
    assert str(faults) == "6 messages: 1 dropped, 0 doubled, 0 swapped"


def test_pings_overtake_what_waits_to_be_swapped():
    """What no fault may befall goes on at once; a long frame is a message as well."""
    lane = Lane(Faults(swap=1), Frames())
    long = frame(b"x" * 300)
    assert lane.feed(HEAD) == HEAD
    assert lane.feed(long) == b""
    assert lane.holds
    assert lane.feed(PING) == PING
    assert lane.feed(frame(b"b")) == frame(b"b") + long
    assert not lane.holds


def test_http_that_is_no_handshake_passes():
    """An answer on a connection that is kept alive is not taken for frames; the handshake behind it is found."""
    lane = Lane(Faults(drop=1), Frames())
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x81\x01a"
    assert lane.feed(answer) == answer
    assert lane.feed(HEAD + frame(b"a") + PING) == HEAD + PING


@pytest.mark.parametrize("kind", [b"*", b">"])
@pytest.mark.parametrize("name", [b"message", b"smessage"])
def test_messages_of_pubsub_break_and_answers_do_not(kind, name):
    """RESP2 and RESP3, sharded or not: only messages are dropped; a bulk that looks like one is not."""
    lane = Lane(Faults(drop=1, holding=b"chat."), Values())
    confirmed = kind + b"3\r\n$9\r\nsubscribe\r\n$10\r\nchat.lobby\r\n:1\r\n"
    bulk = b"$%d\r\n%s\r\n" % (len(message(b"x")), message(b"x"))
    other = message(b"x", b"replica.web-1", kind, name)
    stream = confirmed + message(b"a", kind=kind, name=name) + bulk + other + b"+PONG\r\n"
    assert lane.feed(stream) == confirmed + bulk + other + b"+PONG\r\n"


VALUES = [
    b"+OK\r\n", b"-ERR no\r\n", b":1\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n", b"(123\r\n", b"$-1\r\n", b"*-1\r\n",
    b"$0\r\n\r\n", b"*0\r\n", b"$4\r\na\r\nb\r\n", b"=8\r\ntxt:a\r\nb\r\n", b"!5\r\nERR x\r\n",
    b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n", b"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n", b"~1\r\n+a\r\n",
    b"|1\r\n+ttl\r\n:3\r\n*2\r\n:1\r\n:2\r\n", message(b"a\r\nb"), message(b"a", kind=b">"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_a_value_ends_where_it_ends(value):
    """Each type of RESP2 and RESP3: neither a byte earlier nor a byte later, whatever follows."""
    assert value_end(value + b"+next\r\n", 0) == len(value)
    assert all(value_end(value[:size], 0) is None for size in range(len(value)))


@given(st.lists(st.sampled_from(VALUES)), st.lists(st.integers(1, 40), min_size=1))
def test_the_stream_is_whole_however_it_is_read(values, sizes):
    """Without a fault every byte goes on, cut anywhere; what is kept back is an unfinished value alone."""
    stream, lane, out, at, turn = b"".join(values), Lane(Faults(), Values()), b"", 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        out += lane.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert out == stream


@given(st.recursive(st.binary() | st.integers(0, 1 << 40), lambda inner: st.lists(inner, max_size=4), max_leaves=12))
def test_it_agrees_with_hiredis(value):
    """What hiredis reads as one value is one piece here."""
    encoded = b""

    def encode(each):
        nonlocal encoded
        if isinstance(each, list):
            encoded += b"*%d\r\n" % len(each)
            for inner in each:
                encode(inner)
        elif isinstance(each, int):
            encoded += b":%d\r\n" % each
        else:
            encoded += b"$%d\r\n%s\r\n" % (len(each), each)

    encode(value)
    reader = Reader()
    reader.feed(encoded)
    assert reader.gets() == value
    assert [piece.data for piece in Values().feed(encoded)] == [encoded]
