"""The Autobahn Testsuite's cases 6: text is UTF-8, whole or in pieces, and what is not is refused."""

from tests.server.conformance.case import (
    CONTINUATION,
    INVALID_PAYLOAD,
    TEXT,
    Case,
    Frame,
    Silence,
    chops,
    failing,
    fragments,
    message,
)

GREEK = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
EDITED = b"edited"
SURROGATE = GREEK + b"\xed\xa0\x80" + EDITED
BEYOND = b"\xf4\x90\x80\x80"
"""U+110000, past the last code point: wrong from its second octet on."""
LATIN = "Hello-µ@ßöäüàá-UTF-8!!".encode()
HALF = "Hello-µ@ßöä".encode()


def valid():
    """6.1 and 6.2: empty fragments, fragments that cut a character."""
    yield Case("6.1.1", (Frame(TEXT),), ok=(message(b""),))
    empty = Frame(CONTINUATION, fin=False)
    yield Case("6.1.2", (Frame(TEXT, fin=False), empty, Frame(CONTINUATION)), ok=(message(b""),))
    middle = Frame(CONTINUATION, b"middle frame payload", fin=False)
    yield Case("6.1.3", (Frame(TEXT, fin=False), middle, Frame(CONTINUATION)), ok=(message(middle.payload),))
    yield Case("6.2.1", (Frame(TEXT, LATIN),), ok=(message(LATIN),))
    halves = (Frame(TEXT, HALF, fin=False), Frame(CONTINUATION, LATIN.removeprefix(HALF)))
    yield Case("6.2.2", halves, ok=(message(LATIN),))
    yield Case("6.2.3", fragments(TEXT, LATIN, 1), ok=(message(LATIN),))
    yield Case("6.2.4", fragments(TEXT, GREEK, 1), ok=(message(GREEK),))


def invalid(number, *steps, **options):
    return failing(number, *steps, codes=(INVALID_PAYLOAD,), **options)


def fails_fast():
    """6.3 and 6.4: refused with the first octet that can't be right; the suite also takes a refusal at the end."""
    yield invalid("6.3.1", Frame(TEXT, SURROGATE))
    yield invalid("6.3.2", *fragments(TEXT, SURROGATE, 1))
    whole = (GREEK, BEYOND, EDITED)
    at_the_octet = (GREEK + BEYOND[:1], BEYOND[1:2], BEYOND[2:] + EDITED)
    outcomes = {"ok": (("timeout", "A"),), "non_strict": (("timeout", "A"), ("timeout", "B"))}
    for n, (first, second, third) in enumerate((whole, at_the_octet), 1):
        frames = (Frame(TEXT, first, fin=False), Frame(CONTINUATION, second, fin=False), Frame(CONTINUATION, third))
        steps = (frames[0], Silence("A"), frames[1], Silence("B"), frames[2])
        yield invalid(f"6.4.{n}", *steps, **outcomes)
    for n, parts in enumerate((whole, at_the_octet), 3):
        one, two, three = chops(Frame(TEXT, b"".join(parts)), len(parts[0]), len(parts[1]))
        yield invalid(f"6.4.{n}", one, Silence("A"), two, Silence("B"), three, **outcomes)


def prefixes():
    """Every beginning of the Greek word, and whether it ends with a character."""
    whole = {2, 5, 7, 9, 11}
    return [(size in whole, GREEK[:size]) for size in range(1, len(GREEK) + 1)]


def right(*payloads):
    return [(True, payload) for payload in payloads]


def wrong(*payloads):
    return [(False, payload) for payload in payloads]


def lonely(first, last):
    """Start octets, each before a space; the last is left out, as in the suite."""
    return b"".join(bytes((octet, 0x20)) for octet in range(first, last))


def non_characters():
    """U+FFFE and U+FFFF of each plane are valid UTF-8."""
    planes = range(1, 17)
    rest = [chr((plane << 16) + low).encode() for plane in planes for low in (0xFFFE, 0xFFFF)]
    return right(b"\xef\xbf\xbe", b"\xef\xbf\xbf", *rest)


INCOMPLETE = (
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
)
HIGH = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
LOW = (b"\xed\xb0\x80", b"\xed\xbf\xbf")
SEQUENCES = (
    # 6.5 correct text, 6.6 its prefixes
    right(b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", GREEK),
    prefixes(),
    # 6.7 and 6.8 the first sequence of each length, 6.9 and 6.10 the last
    right(b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"),
    wrong(b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"),
    right(b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"),
    wrong(b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    # 6.11 other boundaries
    [*right(b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"), *wrong(BEYOND)],
    # 6.12 unexpected continuations
    wrong(b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)), bytes(range(0x80, 0xBF))),
    # 6.13 lonely starts
    wrong(lonely(0xC0, 0xDF), lonely(0xE0, 0xEF), lonely(0xF0, 0xF7), lonely(0xF8, 0xFB), lonely(0xFC, 0xFD)),
    # 6.14 the last continuation is missing, 6.15 all of these in a row
    wrong(*INCOMPLETE),
    wrong(b"".join(INCOMPLETE)),
    # 6.16 impossible octets
    wrong(b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"),
    # 6.17 to 6.19 overlong: of a slash, as far as possible, of NUL
    wrong(b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"),
    wrong(b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"),
    wrong(b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"),
    # 6.20 single surrogates, 6.21 pairs of them
    wrong(*HIGH, b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf"),
    wrong(*(high + low for high in HIGH for low in LOW)),
    # 6.22 non-characters, 6.23 specials
    non_characters(),
    right(*(chr(point).encode() for point in range(0xFFF9, 0x10000))),
)


def sequences():
    """6.5 to 6.23: Markus Kuhn's decoder stress test (https://www.cl.cam.ac.uk/~mgk25/ucs/examples/UTF-8-test.txt)."""
    for group, entries in enumerate(SEQUENCES, 5):
        for n, (is_valid, payload) in enumerate(entries, 1):
            number, frame = f"6.{group}.{n}", Frame(TEXT, payload)
            yield Case(number, (frame,), ok=(message(payload),)) if is_valid else invalid(number, frame)


CASES = (*valid(), *fails_fast(), *sequences())
