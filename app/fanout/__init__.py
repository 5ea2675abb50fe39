"""Fan-out for Django Channels: one layer membership a process, one prepared frame for all of its sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanout.api import apublish, publish

__version__ = "0.1.0"

__all__ = ["apublish", "publish"]


def __getattr__(name: str) -> Any:
    """Import `publish` and `apublish` when they are asked for: the package itself needs neither settings nor apps."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fanout import api

    globals().update({each: getattr(api, each) for each in __all__})  # asked for once, not at each call
    return globals()[name]
