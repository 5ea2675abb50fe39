"""The result as JSON: for plots, for machines, for later runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.figure import Figure
    from bench.row import Row


def write(rows: Sequence[Row], about: Mapping[str, Any], folder: Path) -> Path:
    """Write `bench.json` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.json"
    whole = {**about, "rows": [of_row(row) for row in rows]}
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def of_row(row: Row) -> dict[str, Any]:
    """Return a row as plain values."""
    return {
        "part": row.part,
        "name": row.name,
        "verdict": row.verdict,
        "ratio": row.ratio,
        "reach": asdict(row.reach) if row.reach else None,
        "differ": row.differ,
        "note": row.note,
        "ours": of_figure(row.ours),
        "stock": of_figure(row.stock) if row.stock else None,
        "others": [of_figure(figure) for figure in row.others],
    }


def of_figure(figure: Figure) -> dict[str, Any]:
    """Return a figure as plain values: `value` and `spread` are null when it is void."""
    return {
        "side": figure.side,
        "value": figure.value,
        "unit": figure.unit,
        "spread": figure.spread,
        "void": figure.void or None,
        "generator": round(figure.generator, 3),
        "samples": [asdict(sample) for sample in figure.samples],
        "work": asdict(figure.work),
    }
