"""What a Compose file or Kubernetes' manifests start: each process with its words, its time to end, and its probes."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COMPOSE_GRACE, POD_GRACE = 10.0, 30.0
"""Seconds that each engine gives by default."""
UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
REDIS_IMAGE = re.compile(r"(.*/)?(redis|valkey/valkey)(:[\w.-]+)?(@.*)?")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[hms])")


@dataclass(frozen=True)
class Process:
    """One container."""

    where: str
    """As its author calls it."""
    words: tuple[str, ...]
    grace: float
    """Seconds between the signal and the kill."""
    probes: Mapping[str, Any] = field(default_factory=dict)
    """`livenessProbe` and `readinessProbe`, where there are."""
    is_told_late: bool = False
    """Whether its engine goes on sending clients for a while after the signal, and nothing waits for that (preStop)."""

    def value(self, *options: str) -> str | None:
        """Return what follows an option, also behind `=`; None without it."""
        for word, following in zip(self.words, [*self.words[1:], ""], strict=True):
            name, equals, value = word.partition("=")
            if name in options:
                return value if equals else following
        return None


def of(documents: Iterable[Any]) -> Iterator[Process]:
    """Yield all of them."""
    for document in documents:
        if is_compose(document):
            for name, service in document["services"].items():
                yield _of_service(name, _mapping(service))
        elif is_manifest(document):
            for each in objects(document):
                yield from _of_manifest(each)


def is_compose(document: Any) -> bool:
    """Return whether a document is a Compose file's."""
    return isinstance(document, dict) and isinstance(document.get("services"), dict)


def is_manifest(document: Any) -> bool:
    """Return whether a document is an object of Kubernetes, or a list of them."""
    return isinstance(document, dict) and isinstance(document.get("kind"), str)


def objects(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield an object, or those of a `kind: List`."""
    if isinstance(items := document.get("items"), list):
        for each in items:
            yield from objects(_mapping(each))
    else:
        yield document


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return what is one; nothing for what is left empty, or is something else."""
    return value if isinstance(value, dict) else {}


def _of_service(name: str, service: Mapping[str, Any]) -> Process:
    words = (*split(service.get("entrypoint")), *split(service.get("command")))
    grace = service.get("stop_grace_period")
    given = seconds(str(grace)) if grace is not None else COMPOSE_GRACE
    return Process(f"The service {name}", started(service.get("image"), words), given)


def _of_manifest(document: Mapping[str, Any]) -> Iterator[Process]:
    pod = pod_of(document)
    name = _mapping(document.get("metadata")).get("name", "?")
    given = pod.get("terminationGracePeriodSeconds")
    grace = POD_GRACE if given is None else seconds(str(given))
    for container in map(_mapping, [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]):
        words = (*split(container.get("command")), *split(container.get("args")))
        where = f"The container {container.get('name', '?')} of {document.get('kind')}/{name}"
        probes = {key: container[key] for key in container if key.endswith("Probe")}
        is_told_late = "preStop" not in _mapping(container.get("lifecycle"))
        yield Process(where, started(container.get("image"), words), grace, probes, is_told_late)


def started(image: Any, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a container starts: Redis' own image adds its name to options, and to nothing."""
    is_redis = isinstance(image, str) and REDIS_IMAGE.fullmatch(image) is not None
    return ("redis-server", *words) if is_redis and (not words or words[0].startswith("-")) else words


def pod_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the description of the pods that a manifest makes; empty when it makes none."""
    spec = _mapping(document.get("spec"))
    spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec")) or spec
    return spec if document.get("kind") == "Pod" else _mapping(_mapping(spec.get("template")).get("spec"))


def split(command: Any) -> tuple[str, ...]:
    """Return a command, given as text or as a list, as words; those of a shell's script in it too."""
    parts = [command] if isinstance(command, str) else [str(part) for part in command or ()]
    return tuple(word for part in parts for word in _words(part))


def _words(part: str) -> list[str]:
    try:
        words = shlex.split(part, comments=True)
    except ValueError:  # a quote that a shell's script ends elsewhere
        return part.split()
    return [inner for word in words for inner in word.split()]


def seconds(text: str) -> float:
    """Return the seconds of `1m30s`, `40s` or `40`; no end of them for what only a variable or a template tells."""
    if found := DURATION.findall(text):
        return sum(float(number) * UNITS[unit] for number, unit in found)
    try:
        return float(text)
    except ValueError:
        return math.inf
