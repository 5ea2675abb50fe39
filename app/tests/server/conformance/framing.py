"""The Autobahn Testsuite's cases 1 to 5: framing, pings and pongs, reserved bits, opcodes, fragmentation."""

from tests.server.conformance.case import (
    BINARY,
    CONTINUATION,
    FRAME_BY_FRAME,
    PING,
    PONG,
    TEXT,
    Answers,
    Case,
    Frame,
    close,
    closing,
    failing,
    message,
)

SIZES = (0, 125, 126, 127, 128, 65535, 65536)
HELLO = b"Hello, world!"
NO_TEXT = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
ECHO = (message(HELLO),)


def echoes(group, opcode, octet):
    """1.1 and 1.2: messages of all lengths that a header can hold."""
    for n, size in enumerate(SIZES, 1):
        yield Case(f"1.{group}.{n}", (Frame(opcode, octet * size),), ok=(message(octet * size, opcode),))
    payload = octet * 65536
    yield Case(f"1.{group}.8", (Frame(opcode, payload),), ok=(message(payload, opcode),), chop=997)


def pings():
    """2: pings, and pongs nobody asked for."""
    for n, payload in ((1, b""), (2, HELLO), (3, NO_TEXT), (4, b"\xfe" * 125)):
        yield Case(f"2.{n}", (Frame(PING, payload),), ok=(("pong", payload),))
    yield failing("2.5", Frame(PING, b"\xfe" * 126))
    yield Case("2.6", (Frame(PING, b"\xfe" * 125),), ok=(("pong", b"\xfe" * 125),), chop=1)
    unsolicited = Frame(PONG, b"unsolicited pong payload")
    yield closing("2.7", Frame(PONG), close(1000))
    yield closing("2.8", unsolicited, close(1000))
    yield Case("2.9", (unsolicited, Frame(PING, b"ping payload")), ok=(("pong", b"ping payload"),))
    payloads = [b"payload-%d" % n for n in range(10)]
    ten = tuple(Frame(PING, payload) for payload in payloads)
    pongs = tuple(("pong", payload) for payload in payloads)
    yield Case("2.10", ten, ok=pongs)
    yield Case("2.11", ten, ok=pongs, chop=1)


def reserved_bits():
    """3: each combination of RSV bits, which nobody has negotiated."""
    yield failing("3.1", Frame(TEXT, HELLO, rsv=1))
    for n, chop in ((2, None), (3, FRAME_BY_FRAME), (4, 1)):
        bad = Frame(TEXT, HELLO, rsv=n)
        yield failing(f"3.{n}", Frame(TEXT, HELLO), bad, Frame(PING), ok=ECHO, non_strict=(), chop=chop)
    yield failing("3.5", Frame(BINARY, NO_TEXT, rsv=5))
    yield failing("3.6", Frame(BINARY, HELLO, rsv=6))
    yield failing("3.7", Frame(8, rsv=7))


def opcodes(group, first):
    """4.1 and 4.2: opcodes that nobody has defined."""
    yield failing(f"4.{group}.1", Frame(first))
    yield failing(f"4.{group}.2", Frame(first + 1, b"reserved opcode payload"))
    for n, payload, chop in ((3, b"", None), (4, HELLO, None), (5, HELLO, 1)):
        bad = Frame(first + n - 1, payload)
        yield failing(f"4.{group}.{n}", Frame(TEXT, HELLO), bad, Frame(PING), ok=ECHO, non_strict=(), chop=chop)


def part(number, payload=None, *, fin=False, opcode=CONTINUATION):
    return Frame(opcode, payload or b"fragment%d" % number, fin=fin)


def fragmentation():
    """5: fragments in order, out of order, with control frames between them."""
    for n, opcode in ((1, PING), (2, PONG)):
        yield failing(f"5.{n}", part(1, opcode=opcode), part(2, fin=True))
    chops = (None, FRAME_BY_FRAME, 1)
    first, last = part(1, opcode=TEXT), part(2, fin=True)
    whole = message(b"fragment1fragment2")
    for n, chop in enumerate(chops, 3):
        yield Case(f"5.{n}", (first, last), ok=(whole,), chop=chop)
    for n, chop in enumerate(chops, 6):
        between = Frame(PING, b"ping payload")
        yield Case(f"5.{n}", (first, between, last), ok=(("pong", b"ping payload"), whole), chop=chop)
    for n, fin in ((9, True), (12, False)):
        for m, chop in enumerate(chops):
            bad = Frame(CONTINUATION, b"non-continuation payload", fin=fin)
            yield failing(f"5.{n + m}", bad, Frame(TEXT, HELLO), chop=chop)
    yield failing("5.15", first, last, part(3), part(4, fin=True, opcode=TEXT), ok=(whole,), non_strict=())
    for n, fin in ((16, False), (17, True)):
        yield failing(f"5.{n}", *(part(1, fin=fin), part(2, opcode=TEXT), part(3, fin=True)) * 2)
    yield failing("5.18", first, part(2, fin=True, opcode=TEXT))
    for n, chop in ((19, None), (20, FRAME_BY_FRAME)):
        yield Case(f"5.{n}", interleaved(), ok=pongs_before_message(), chop=chop)


def interleaved():
    """A message in five fragments; the first ping is answered long before it is whole."""
    begin = (part(1, opcode=TEXT), part(2), Frame(PING, b"pongme 1!"))
    return (*begin, Answers(1), part(3), part(4), Frame(PING, b"pongme 2!"), part(5, fin=True))


def pongs_before_message():
    whole = b"".join(b"fragment%d" % n for n in range(1, 6))
    return (("pong", b"pongme 1!"), ("pong", b"pongme 2!"), message(whole))


CASES = (
    *echoes(1, TEXT, b"*"),
    *echoes(2, BINARY, b"\xfe"),
    *pings(),
    *reserved_bits(),
    *opcodes(1, 3),
    *opcodes(2, 11),
    *fragmentation(),
)
