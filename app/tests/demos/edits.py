"""Writers of documents, for tests: what a browser's page would publish, made by the Rust port of Yjs."""

import random

from pycrdt import Doc, Text

LETTERS = "abcdefgh ijklmnop\n"


class Writer:
    """One document in the hands of someone; `said` is what they have to publish."""

    def __init__(self):
        self.doc = Doc()
        self.text = self.doc.get("text", type=Text)
        self.said = []
        self._observing = self.doc.observe(self._changed)
        self._hearing = False

    def _changed(self, event):
        if not self._hearing:
            self.said.append(event.update)

    def write(self, words, at=None):
        """Write at a place, or at the end; return the change."""
        self.text.insert(len(self.text) if at is None else at, words)
        return self.said[-1]

    def remove(self, start, end):
        """Remove what stands between two places; return the change."""
        del self.text[start:end]
        return self.said[-1]

    def hear(self, *updates):
        """Take what others have published."""
        self._hearing = True
        for update in updates:
            self.doc.apply_update(update)
        self._hearing = False
        return self

    def __str__(self):
        return str(self.text)


def scribbles(count, seed=0):
    """Return as many changes in random places as asked for, each of one letter, and the text that they make."""
    chance, writer, length = random.Random(seed), Writer(), 0  # noqa: S311 - no secret
    for number in range(count):
        place = chance.randrange(length + 1)
        if number % 9 == 8 and place:
            writer.remove(place - 1, place)
            length -= 1
        else:
            writer.write(LETTERS[number % len(LETTERS)], place)
            length += 1
    return writer.said, str(writer)


def text_of(*updates):
    """Return the text that updates make."""
    return str(Writer().hear(*updates))
