import json

import pytest

from frames import TEXT
from proof.clients.batch import KNOWN_LIMIT, Batches
from proof.clients.message import Said, write


def frame(text, kind=TEXT):
    """A frame as a server sends it."""
    text = text if isinstance(text, bytes) else json.dumps(text, separators=(",", ":")).encode()
    head = bytes((kind, len(text))) if len(text) < 126 else bytes((kind, 126)) + len(text).to_bytes(2)
    return head + text


def publication(offset, seq, size=100, **changes):
    """A publication's frame."""
    data = {"message": write(Said("0.p", seq, 5, "web-1"), size)}
    return frame({"type": "publication", "group": "chat.a", "epoch": "e", "offset": offset, "data": data, **changes})


@pytest.fixture
def seen():
    """What the batches have told of."""
    return []


@pytest.fixture
def batches(seen):
    """Of one process."""
    return Batches(lambda group, offset, said: seen.append((group, offset, said and said.seq)))


def test_several_frames_of_one_read_are_one_run(batches, seen):
    """Offsets one behind the other need one comparison a receiver."""
    chunk = publication(7, 1) + publication(8, 2, size=200)
    batch = batches.decode(chunk, plain=False)
    assert (batch.first, batch.last, batch.epoch) == (7, 8, "e")
    assert [said.seq for said in batch.said] == [1, 2]
    assert seen == [("chat.a", 7, 1), ("chat.a", 8, 2)]
    assert batch.group == "chat.a"
    assert batches.known(plain=False)(chunk) is batch


@pytest.mark.parametrize("offsets", [(7, 9), (8, 7), (7, 7), (7, 9, 8, 10)])
def test_what_is_no_run_is_looked_at_one_by_one(batches, offsets):
    """A hole, a double or a swap within one read is not taken for a run."""
    batch = batches.decode(b"".join(publication(offset, offset) for offset in offsets), plain=False)
    assert batch.first == -1
    assert batch.offsets == offsets


@pytest.mark.parametrize(
    "chunk",
    [
        publication(7, 1) + frame({"type": "ack", "id": 1}),
        publication(7, 1)[:-1],
        publication(7, 1) + frame(b"", kind=0x89),
        publication(7, 1, data={"other": 1}),
        publication(7, 1) + publication(8, 2, group="chat.b"),
        frame(b'{"type":"publication"'),
    ],
    ids=["another frame", "not whole", "ping", "other data", "two groups", "no JSON"],
)
def test_what_is_not_all_publications_is_left_to_others(batches, chunk):
    """Nothing is guessed."""
    assert batches.decode(chunk, plain=False) is None
    assert batches.known(plain=False)(chunk) is None


def test_plain_frames_have_no_offsets(batches, seen):
    """A plain client gets the data alone."""
    batch = batches.decode(frame({"message": write(Said("0.p", 3, 5, "web-1"), 80)}), plain=True)
    assert (batch.offsets, batch.said[0].seq, batch.first) == ((0,), 3, -1)
    assert seen == []


def test_a_strangers_publication_has_its_place_in_the_stream(batches, seen):
    """Also what the proof has written, when it comes with another text."""
    batch = batches.decode(publication(7, 1) + publication(8, 2, data={"message": "hi"}), plain=False)
    assert [said and said.seq for said in batch.said] == [1, None]
    assert seen == [("chat.a", 7, 1), ("chat.a", 8, None)]


@pytest.mark.parametrize("plain", [True, False])
def test_a_client_is_not_served_from_what_the_other_kind_gets(batches, plain):
    """A plain client that gets frames of `fanout.v1` has not got its message, though others have."""
    chunk = frame({"message": "hi"}) if plain else publication(7, 1)
    assert batches.decode(chunk, plain=plain) is not None
    assert batches.known(plain=not plain)(chunk) is None
    assert batches.decode(chunk, plain=not plain) is None


def test_memory_is_bounded(batches):
    """However long the run, some thousand chunks are known at most."""
    for number in range(KNOWN_LIMIT + 10):
        batches.decode(publication(number + 1, number + 1), plain=False)
    known = batches.known(plain=False)
    assert known(publication(1, 1)) is None
    assert known(publication(KNOWN_LIMIT + 10, KNOWN_LIMIT + 10)) is not None
