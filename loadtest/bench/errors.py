"""What the benchmark says when it cannot measure."""

from __future__ import annotations

MISUSED = 2
"""Exit code for bad input, for a machine that is too small, and for figures that are void."""


class BenchError(Exception):
    """Something stands in the way; the text is a sentence that says what, and the remedy."""


class UnlikeWorkError(BenchError):
    """Two figures were to be compared that were not made by the same work."""
