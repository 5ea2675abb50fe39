"""The Autobahn Testsuite's cases 9 and 10: large messages, many fragments, small writes, many round trips."""

from tests.server.conformance.case import BINARY, TEXT, Case, Frame, Rounds, fragments, message

KIB, MIB = 1 << 10, 1 << 20
LARGEST = 16 * MIB
"""What the server has to be told to take; a replica's own limit is 1 MiB."""
ROUND_TRIPS = 100
"""The suite sends 1,000 to measure a time; here only what comes back counts."""
KINDS = ((TEXT, b"BAsd7&jh23", b"*"), (BINARY, b"\x00\xfe\x23\xfa\xf0", b"\xfe"))
"""Opcode, and what the payloads of whole and of fragmented messages consist of."""


def filled(pattern, size):
    return (pattern * (size // len(pattern) + 1))[:size]


def large(group, opcode, pattern):
    """9.1 and 9.2: one frame of 64 KiB to 16 MiB."""
    for n, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, LARGEST), 1):
        payload = filled(pattern, size)
        yield Case(f"9.{group}.{n}", (Frame(opcode, payload),), ok=(message(payload, opcode),))


def fragmented(group, opcode, pattern):
    """9.3 and 9.4: 4 MiB in fragments of 64 bytes to 4 MiB."""
    payload = filled(pattern, 4 * MIB)
    for n, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), 1):
        yield Case(f"9.{group}.{n}", fragments(opcode, payload, size), ok=(message(payload, opcode),))


def chopped(group, opcode, pattern):
    """9.5 and 9.6: 1 MiB in writes of 64 to 2,048 bytes."""
    payload = filled(pattern, MIB)
    for n in range(1, 7):
        yield Case(f"9.{group}.{n}", (Frame(opcode, payload),), ok=(message(payload, opcode),), chop=32 << n)


def round_trips(group, opcode, pattern):
    """9.7 and 9.8: one message after the other, none to 4 KiB long."""
    for n, size in enumerate((0, 16, 64, 256, KIB, 4 * KIB), 1):
        frame = Frame(opcode, pattern * size)
        ok = (message(frame.payload, opcode),) * ROUND_TRIPS
        yield Case(f"9.{group}.{n}", (Rounds(frame, ROUND_TRIPS),), ok=ok)


def all_cases():
    for n, (opcode, whole, simple) in enumerate(KINDS):
        yield from large(1 + n, opcode, whole)
        yield from fragmented(3 + n, opcode, simple)
        yield from chopped(5 + n, opcode, whole)
        yield from round_trips(7 + n, opcode, simple)
    payload = b"*" * 65536
    yield Case("10.1.1", fragments(TEXT, payload, 1300), ok=(message(payload),))


CASES = tuple(all_cases())
