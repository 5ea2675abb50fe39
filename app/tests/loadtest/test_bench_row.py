from dataclasses import replace

import pytest

from bench.errors import UnlikeWorkError
from bench.row import Reach, Row, Verdict


def row(ours, stock=None, **more):
    return Row("delivery", "CPU per delivery", ours, stock, **more)


@pytest.mark.parametrize(
    ("reach", "verdict"),
    [
        (Reach(7.5), Verdict.REACHED),
        (Reach(7.0), Verdict.REACHED),
        (Reach(6.9), Verdict.SHORT),
        (Reach(7.0, least=True), Verdict.REACHED),
        (Reach(7.1, least=True), Verdict.SHORT),
        (Reach(ratio=30), Verdict.REACHED),
        (Reach(7.5, ratio=51), Verdict.SHORT),
        (Reach(6.9, ratio=30), Verdict.SHORT),
        (None, Verdict.NONE),
    ],
)
def test_the_verdict_compares_with_what_was_to_be_reached(figure, reach, verdict):
    """7 µs beside 350 µs of stock: the bound and the ratio have both to hold."""
    assert row(figure(7.0), figure(350.0, side="stock"), reach=reach).verdict == verdict


def test_a_slower_machine_has_a_longer_bound(figure):
    """As much as stock is slower on it than where the bound was set; a faster one has the bound as it is."""
    reach = Reach(6.0, stock=300)
    assert row(figure(7.0), figure(351.0), reach=reach).verdict == Verdict.REACHED
    assert row(figure(7.0), figure(349.0), reach=reach).verdict == Verdict.SHORT
    assert row(figure(6.1), figure(100.0), reach=reach).verdict == Verdict.SHORT
    assert row(figure(7.0), reach=reach).verdict == Verdict.SHORT


def test_a_void_figure_has_no_verdict_but_void(figure):
    """However good it looks."""
    made = row(figure(0.1, void="2 of 500 receivers got other than was sent"), reach=Reach(7.5))
    assert made.verdict == Verdict.VOID
    assert made.ratio is None


def test_a_void_control_voids_what_is_measured_by_it(figure):
    """A ratio to a void figure proves nothing; a bound of our own still does."""
    control = figure(350.0, side="stock", generator=0.95)
    assert row(figure(7.0), control, reach=Reach(7.5, ratio=30)).verdict == Verdict.VOID
    assert row(figure(7.0), control, reach=Reach(7.5)).verdict == Verdict.REACHED


def test_a_ratio_is_never_reached_without_a_control(figure):
    """Nothing stands beside ours, so nothing is 30 times dearer."""
    assert row(figure(7.0), reach=Reach(ratio=30)).verdict == Verdict.SHORT


def test_the_ratio_says_how_many_times_better(figure):
    """Cheaper, or more, as the row has it."""
    assert row(figure(7.0), figure(350.0)).ratio == 50
    assert row(figure(100_000.0), figure(4000.0), greater_is_better=True).ratio == 25


def test_a_row_of_unlike_work_cannot_be_made(figure):
    """Not even beside a third server."""
    ours = figure(7.0)
    other = figure(350.0, side="uvicorn", work=replace(ours.work, sockets=100))
    with pytest.raises(UnlikeWorkError, match="sockets 500 against 100"):
        row(ours, others=(other,))


def test_what_differs_on_purpose_is_told(figure):
    """The table names it."""
    ours = figure(7.0)
    made = row(ours, figure(350.0, work=replace(ours.work, rate=4)), differ=("rate",))
    assert made.differing == ["rate 60 (stock 4)"]
