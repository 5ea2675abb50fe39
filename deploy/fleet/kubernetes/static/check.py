"""All static checks of the manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.kubernetes.static import agreement, schemas, security, tree, wiring

if TYPE_CHECKING:
    from fleet.kubernetes.static.tree import Tree

CHECKS = (schemas, security, wiring, agreement)


def problems(of: Tree | None = None) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    whole = tree.read() if of is None else of
    return [problem for check in CHECKS for problem in check.problems(whole)]
