"""Frames, read by another library's parser."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from server.frames import text_frame

BORDERS = [0, 1, 124, 125, 126, 127, 255, 256, 65534, 65535, 65536, 65537, 1 << 20]


def parsed(data):
    """Return the frames that a client's parser finds."""
    parser = Protocol(CLIENT, max_size=None)
    parser.receive_data(data)
    assert parser.parser_exc is None
    return parser.events_received()


@given(st.one_of(st.sampled_from(BORDERS), st.integers(0, 70_000)))
def test_a_frame_of_any_size_is_read_as_one_whole_text_message(size):
    """The parser finds one final text frame with the very payload."""
    payload = b"x" * size
    (frame,) = parsed(text_frame(payload))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, payload)
    assert (frame.rsv1, frame.rsv2, frame.rsv3) == (False, False, False)


@given(st.text())
def test_any_text_survives(text):
    """What was text stays that text."""
    (frame,) = parsed(text_frame(text.encode()))
    assert bytes(frame.data).decode() == text


@given(st.lists(st.binary(max_size=200)))
def test_frames_can_stand_back_to_back(payloads):
    """A run of frames is read as that run: each ends where the next begins."""
    frames = parsed(b"".join(map(text_frame, payloads)))
    assert [bytes(frame.data) for frame in frames] == payloads
