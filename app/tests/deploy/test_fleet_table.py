import pytest

from fleet.table import Row, duration, render


def test_columns_line_up():
    """Numbers stand to the right, names to the left, and what does not exist is a dash."""
    rows = [
        Row("web-1", 12345, 75.2, 1234, 40 * 1024**2, "yes"),
        Row("nginx", 7, 5.0, None, 5 * 1024**2, "yes"),
        Row("web-2", None, None, None, None, "down"),
    ]
    lines = render(rows).splitlines()
    assert len({line.index(word) for line, word in zip(lines, ("ready", "yes", "yes", "down"), strict=True)}) == 1
    assert "1,234" in lines[1]
    assert lines[3].split() == ["web-2", "-", "-", "-", "-", "down"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3700, "1 h 1 min"), (200_000, "2 d 7 h")],
)
def test_a_duration_is_its_two_largest_units(seconds, text):
    """Short enough to read at a glance."""
    assert duration(seconds) == text


def test_only_yes_is_well():
    """Whatever else stands there wants a look."""
    assert Row("web-1", 1, 1.0, 0, 1, "yes").is_well
    assert not Row("web-1", 1, 1.0, 0, 1, "degraded; redis: refused").is_well
