"""Publications as bytes, and back."""

import msgpack
import pytest
from channels_redis.serializers import registry

from fanout.layers import envelope
from fanout.publication import Publication


@pytest.fixture(params=[None, ["key"]], ids=["plain", "encrypted"])
def serializer(request):
    return registry.get_serializer("msgpack", symmetric_encryption_keys=request.param)


@pytest.mark.parametrize("data", [b"", b"null", '{"message":"Grüße 🎈"}'.encode(), b"\xff\x00", b"x" * 2**16])
def test_a_publication_comes_back_as_it_was(serializer, data):
    """What was encoded is decoded to the same publication, byte for byte."""
    publication = Publication("chat.lobby", data, 1_700_000_000.123456)
    payload = envelope.encode(publication, serializer)
    assert envelope.is_publication(payload)
    assert envelope.decode("chat.lobby", payload, serializer) == publication


def test_an_event_is_no_publication(serializer):
    """No event of group_send, encrypted or not, is taken for a publication."""
    for event in ({}, {"type": "chat.message"}, {str(number): number for number in range(70000)}, "text", None):
        assert not envelope.is_publication(serializer.serialize(event))


def test_nothing_is_no_publication():
    """An empty payload is no publication."""
    assert not envelope.is_publication(b"")


def test_messagepack_never_begins_with_the_marker():
    """The marker is the one byte that MessagePack reserves for nothing."""
    with pytest.raises((msgpack.FormatError, ValueError)):
        msgpack.unpackb(envelope.MARKER)


def test_another_version_is_told(serializer):
    """A body of another version is not touched, and the error names the version."""
    payload = bytearray(envelope.encode(Publication("chat.lobby", b"1", 0.0), serializer))
    payload[1] = 9
    with pytest.raises(envelope.UnknownVersion) as told:
        envelope.decode("chat.lobby", bytes(payload), serializer)
    assert told.value.args == (9,)


def test_the_envelope_is_small():
    """Beside the data a publication takes at most 20 bytes."""
    serializer = registry.get_serializer("msgpack")
    publication = Publication("chat.lobby", b"x" * 100, 1_700_000_000.5)
    assert len(envelope.encode(publication, serializer)) <= 120
