"""The Autobahn Testsuite's cases 7: who closes, with which code and reason, and what comes too late."""

from tests.server.conformance.case import (
    CLOSE,
    CONTINUATION,
    INVALID_PAYLOAD,
    NORMAL,
    PING,
    PROTOCOL_ERROR,
    TEXT,
    Case,
    Frame,
    close,
    closing,
    message,
)

HELLO = b"Hello World!"
VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
SURROGATE = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64"


def behaviour():
    """7.1: what follows a close frame is ignored."""
    yield Case("7.1.1", (Frame(TEXT, HELLO),), ok=(message(HELLO),))
    for n, late in ((2, Frame(CLOSE)), (3, Frame(PING)), (4, Frame(TEXT, HELLO))):
        yield closing(f"7.1.{n}", close(NORMAL), late)
    yield closing("7.1.5", Frame(TEXT, b"fragment1", fin=False), close(NORMAL), Frame(CONTINUATION, b"fragment2"))
    long = Frame(TEXT, (b"BAsd7&jh23" * 26215)[: 256 << 10])
    yield closing("7.1.6", long, Frame(TEXT, HELLO), close(NORMAL), Frame(PING), informational=True)


def refused(number, frame, *codes):
    """The server says that the close frame was none, or hangs up."""
    return closing(number, frame, codes=codes or (PROTOCOL_ERROR,), clean=False)


def structure():
    """7.3 and 7.5: how long a close frame may be, and of what."""
    yield closing("7.3.1", Frame(CLOSE))
    yield refused("7.3.2", Frame(CLOSE, b"a"))
    yield closing("7.3.3", close(NORMAL))
    yield closing("7.3.4", close(NORMAL, HELLO))
    yield closing("7.3.5", close(NORMAL, b"*" * 123))
    yield refused("7.3.6", close(NORMAL, b"*" * 124))
    yield refused("7.5.1", close(NORMAL, SURROGATE), PROTOCOL_ERROR, INVALID_PAYLOAD)


def codes():
    """7.7, 7.9 and 7.13: codes that may be sent, that must not be sent, that nobody has heard of."""
    for n, code in enumerate(VALID, 1):
        yield closing(f"7.7.{n}", close(code), codes=(NORMAL, code))
    for n, code in enumerate(INVALID, 1):
        yield refused(f"7.9.{n}", close(code))
    for n, code in enumerate((5000, 65535), 1):
        yield closing(f"7.13.{n}", close(code), informational=True)


CASES = (*behaviour(), *structure(), *codes())
