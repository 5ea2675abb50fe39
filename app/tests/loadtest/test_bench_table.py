import json

from bench import plots, record, table
from bench.row import Reach, Row


def rows(figure):
    stock = figure(350.0, 360.0, 340.0, side="stock")
    others = (figure(200.0, side="uvicorn"),)
    return [
        Row("delivery", "CPU per delivery", figure(7.0, 7.2, 7.1), stock, others, Reach(7.5, ratio=30)),
        Row("delivery", "the same, faster", figure(3.0, void="3 of 500 receivers got other than was sent")),
    ]


def test_a_row_is_a_line(figure):
    """Measured, spread, reach, stock, ratio, both generators' CPU and the verdict, in columns."""
    first = table.render(rows(figure)).splitlines()[1]
    for cell in ("7.1 µs", "7 to 7.2", "≤ 7.5 and ≤ 1/30 of stock", "350 µs", "1/49.3", "20% / 20%", "reached"):
        assert cell in first


def test_a_void_figure_shows_its_reason_and_no_number(figure):
    """The number is not there to be quoted."""
    text = table.render(rows(figure))
    assert "the same, faster: ours void: 3 of 500 receivers got other than was sent." in text
    assert "3 µs" not in text
    assert text.endswith("2 rows, 0 short of what was to be reached, 1 void.")


def test_other_servers_are_named_below(figure):
    """With their figures."""
    assert "uvicorn 200 µs" in table.render(rows(figure))


def test_a_disturbed_run_says_so():
    """Figures of a busy machine are dearer; the reader is told."""
    facts = {"processor": "P", "cores": 2, "kernel": "6", "python": "3.11"}
    assert "repeat it" in table.machine({"machine": facts, "used_by_others": 0.3})
    assert "repeat it" not in table.machine({"machine": facts, "used_by_others": 0.01})


def test_json_holds_every_repeat_and_null_for_void(figure, tmp_path):
    """Machines read the samples, the work and the reason."""
    path = record.write(rows(figure), {"command": "make bench"}, tmp_path / "new" / "folder")
    whole = json.loads(path.read_text())
    first, second = whole["rows"]
    assert whole["command"] == "make bench"
    assert [sample["value"] for sample in first["ours"]["samples"]] == [7.0, 7.2, 7.1]
    assert first["ours"]["work"]["payload"] == 100
    assert second["ours"]["value"] is None
    assert second["ours"]["void"].startswith("3 of 500")


def test_rows_of_one_quantity_share_a_panel(figure):
    """What stands beside both is drawn once, void figures not at all."""
    stock = figure(350.0, side="stock")
    found = plots.bars_of(
        [
            Row("policies", "CPU: ephemeral", figure(7.0), stock),
            Row("policies", "CPU: durable", figure(8.0), stock),
            Row("policies", "CPU: void", figure(1.0, void="lost")),
        ]
    )
    assert [(bar.label, bar.value) for bar in found] == [
        ("ours, ephemeral", 7.0), ("ours, durable", 8.0), ("stock", 350.0)
    ]  # fmt: skip


def test_plots_are_drawn_of_what_was_measured(figure, tmp_path):
    """One picture a part, as SVG and PNG; none for parts that were left out."""
    written = plots.write(rows(figure), tmp_path)
    assert sorted(path.name for path in written) == ["delivery.png", "delivery.svg"]
    assert (tmp_path / "delivery.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "delivery.svg").read_text()
