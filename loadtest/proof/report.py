"""The result as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proof import grid, quantity

if TYPE_CHECKING:
    from proof.result import Result

PAGE = Path(__file__).parent / "page"


def write(result: Result, path: Path) -> None:
    """Write the report; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(result), encoding="utf-8")


def render(result: Result) -> str:
    """Return the report."""
    jinja = Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    names = zip(result.replicas, grid.rows(result), strict=True)
    return jinja.get_template("report.html").render(result=result, names=names, quantity=quantity)
