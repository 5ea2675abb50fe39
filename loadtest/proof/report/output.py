"""Where a result goes: the terminal, the report's folder, Locust's web interface."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import flask
from markupsafe import escape

from proof import options
from proof.report import html as report
from proof.report import terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proof.judgement.result import Result

JSON, HTML = "proof.json", "proof.html"


def save(result: Result, folder: Path) -> str:
    """Keep the result and its report; return where they are, or why they could not be kept."""
    try:
        result.save(folder / JSON)
        report.write(result, folder / HTML)
    except OSError as error:
        return f"The report could not be written to {folder} ({error.strerror}): give another folder with --report."
    return f"report: {folder / HTML}, as JSON: {folder / JSON}"


def tell(result: Result, where: str) -> None:
    """Print the verdict; on standard error what is no success."""
    stream = sys.stdout if result.verdict.exit_code == 0 else sys.stderr
    sys.stdout.flush()
    wide = shutil.get_terminal_size((terminal.WIDTH, 0)).columns
    text = terminal.summary(result, colour=terminal.in_colour(stream), width=min(wide, terminal.WIDTH))
    stream.write(f"{text.rstrip()}\n\n{where}\n")
    stream.flush()


def serve(web_ui: Any, result: Callable[[], Result | None]) -> None:
    """Show the last verdict in Locust's web interface, under /proof; refuse there what its form must not hold."""

    @web_ui.app.before_request  # type: ignore[untyped-decorator]
    def refuse() -> dict[str, Any] | None:
        asked = flask.request
        sentence = options.refusal(asked.form) if asked.method == "POST" and asked.path.endswith("/swarm") else None
        return {"success": False, "message": sentence, "host": asked.form.get("host")} if sentence else None

    @web_ui.app.route("/proof")  # type: ignore[untyped-decorator]
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def proof() -> str:
        found = result()
        return report.render(found) if found else str(escape("No run has ended yet: start one, and stop it."))
