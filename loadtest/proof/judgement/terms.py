"""What a run is measured by."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Terms:
    """What the run has to fulfil, and what is known of its circumstances."""

    p99: float
    """Milliseconds."""
    replicas: int = 0
    """How many must take part; 0: those that do."""
    changing: bool = False
    """Whether replicas come and go: a cell of two that never met is no fault of the test."""
    clocks: dict[str, float] = field(default_factory=dict)
    """Seconds that each worker's clock is ahead of the master's."""
    troubles: tuple[str, ...] = ()
    """What makes the run invalid, found elsewhere: a worker that is gone, a clock that jumped, an interruption."""
    started: float | None = None
    """Seconds of the master's clock from which events count; None: they count from the first publication."""
    server_answers: bool = True
    """Whether a handshake succeeds at the end."""
