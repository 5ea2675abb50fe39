"""Changes that nobody's page would make, each of which reads as one: merged here, so that only this process can end."""

import random
import sys

from pycrdt import merge_updates

from demos.document.merging import merged, together
from demos.document.update import EMPTY, NotText, read

CLIENTS = (1, 2, 3, 2**53 - 1)
CLOCKS = (0, 1, 2, 3, 5, 10, 2**30, 2**31 - 1)
WORDS = ("a", "bc", "𝄞x", "hello")


def number(value):
    """A variable-length integer."""
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def string(text):
    """A text with its length in bytes."""
    return number(len(text.encode())) + text.encode()


def struct(chance):
    """A struct that stands beside anything."""
    kind = chance.choice([0, 1, 4, 4, 4, 10])
    if kind in (0, 10):
        return bytes([kind]) + number(chance.choice([1, 2, 5, 2**30]))
    origins = chance.choice([0, 0, 0x80, 0x40, 0xC0])
    made = bytes([kind | origins])
    for each in (0x80, 0x40):
        made += number(chance.choice(CLIENTS)) + number(chance.choice(CLOCKS)) if origins & each else b""
    made += b"" if origins else number(1) + string("text")
    return made + (number(chance.choice([1, 3, 2**30])) if kind == 1 else string(chance.choice(WORDS)))


def update(chance):
    """An update of some clients that deletes something."""
    writers = chance.sample(CLIENTS, chance.randint(0, 3))
    made = number(len(writers))
    for client in writers:
        count = chance.randint(1, 4)
        made += number(count) + number(client) + number(chance.choice([*CLOCKS, *range(5)]))
        made += b"".join(struct(chance) for _ in range(count))
    deleted = chance.sample(CLIENTS, chance.randint(0, 2))
    made += number(len(deleted))
    for client in deleted:
        made += number(client) + number(1) + number(chance.choice(CLOCKS)) + number(chance.choice([0, 1, 7, 2**29]))
    return made


def passes(made):
    """Whether the policy would take it."""
    try:
        read(made)
        merge_updates(EMPTY, made)
    except (NotText, ValueError):
        return False
    return True


def main(cases, seed=0):
    """Merge, and merge again what waited; print how many changes were merged, and how many waited."""
    chance, done, waited = random.Random(seed), 0, 0  # noqa: S311 - no secret
    for _ in range(cases):
        changes = [made for _ in range(chance.randint(1, 6)) if passes(made := update(chance))]
        state, waiting = merged(EMPTY, changes)
        done, waited = done + len(changes) - len(waiting), waited + len(waiting)
        again, still = merged(state, [*waiting, *changes])
        together(again, still)
    print(done, waited)  # noqa: T201 - for the test that has started it


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
