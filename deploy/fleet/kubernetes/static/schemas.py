"""Every object is what its kind's schema says, from the oldest version that works on; no field is misspelt."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import kubernetes_validate

from fleet.kubernetes.doctor import OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.kubernetes.static.tree import Tree

VERSIONS = (".".join(map(str, OLDEST)), "1.31", "1.33", "1.35", "1.37")
SHOWN_CHARACTERS = 200


def problems(tree: Tree) -> Iterator[str]:
    """Yield what the schemas refuse."""
    for thing in tree.things:
        body = json.dumps(thing.body, sort_keys=True)
        yield from (f"{thing}: {refusal}" for version in VERSIONS if (refusal := _refusal(body, version)))


@cache  # the schemas are read anew for each object, and overlays leave most objects as they are
def _refusal(body: str, version: str) -> str:
    """Return why the object is none of that version; empty if it is one."""
    try:
        kubernetes_validate.validate(json.loads(body), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(map(str, error.path))
        return f"{place}: {error.message[:SHOWN_CHARACTERS]} (Kubernetes {version})"
    except kubernetes_validate.SchemaNotFoundError as error:
        return str(error.message)
    return ""
