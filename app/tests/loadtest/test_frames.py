import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from frames import TEXT, client_frame, frame_at


def parsed(data):
    """What a server of the library reads."""
    reader = StreamReader()
    reader.feed_data(data)
    parse = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as done:
        next(parse)
    return done.value.value


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_of_any_size_is_one(size):
    """Its length is told in one byte, in two more, or in eight."""
    frame = parsed(client_frame(TEXT, b"x" * size))
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, size)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_servers_frame_of_any_size_is_found(size):
    """It is there when its last byte is."""
    data = Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
    kind, begin, end = frame_at(b"??" + data, 2)
    assert (kind, end - begin, end) == (TEXT, size, len(data) + 2)
    assert frame_at(data[:-1], 0) is None
