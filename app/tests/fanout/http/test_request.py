"""Content negotiation, without a server."""

import pytest

from fanout.http.request import accepted


@pytest.mark.parametrize(
    ("accept", "is_accepted"),
    [
        ("*/*", True), ("text/*", True), ("text/event-stream", True), ("TEXT/Event-Stream;charset=x", True),
        ("text/html, */*;q=0.1", True), ("text/html", False), ("", False), ("*/*;q=0", False),
        ("text/event-stream;q=0, */*", False), ("text/*;q=0.0, text/event-stream", True), ("*/*;q=0.001", True),
    ],
)  # fmt: skip
def test_the_most_specific_range_decides(accept, is_accepted):
    """And a weight of nothing refuses."""
    assert accepted(accept, "text/event-stream") is is_accepted
