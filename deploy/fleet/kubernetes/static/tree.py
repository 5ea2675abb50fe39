"""The manifests as values: every object of k8s/ and of the load test, and the pods that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from fleet.kubernetes import manifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Labels = dict[str, str]
WORKLOADS = ("Deployment", "StatefulSet", "Job")


@dataclass(frozen=True)
class Thing:
    """One object."""

    file: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return its kind."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Return its name."""
        return str(self.body["metadata"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        """Return its spec; empty where it has none."""
        return dict(self.body.get("spec") or {})

    def __str__(self) -> str:
        return f"{self.file}: {self.kind} {self.name}"


@dataclass(frozen=True)
class Maker:
    """An object that makes pods."""

    thing: Thing

    @property
    def pod(self) -> dict[str, Any]:
        """Return the spec of its pods."""
        return dict(self.thing.spec["template"]["spec"])

    @property
    def labels(self) -> Labels:
        """Return the labels of its pods."""
        return dict(self.thing.spec["template"]["metadata"]["labels"])

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Return all containers, sidecars first."""
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """Return the number of each named port."""
        return {port["name"]: port["containerPort"] for each in self.containers for port in each.get("ports", ())}

    def outward(self) -> set[str | int]:
        """Return how a policy may call the ports: by name; a sidecar's, which not every plugin knows, by number."""
        inner = {port["name"] for each in self.pod.get("initContainers", ()) for port in each.get("ports", ())}
        return {number if name in inner else name for name, number in self.ports.items()}

    def __str__(self) -> str:
        return str(self.thing)


@dataclass(frozen=True)
class Tree:
    """All objects together."""

    things: tuple[Thing, ...]

    def of(self, *kinds: str) -> list[Thing]:
        """Return the objects of some kinds."""
        return [thing for thing in self.things if thing.kind in kinds]

    def makers(self) -> list[Maker]:
        """Return what makes pods."""
        return [Maker(thing) for thing in self.of(*WORKLOADS)]

    def selected(self, selector: Mapping[str, Any]) -> list[Maker]:
        """Return whose pods a label selector selects."""
        return [maker for maker in self.makers() if matches(selector, maker.labels)]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a label selector selects labels; the operators that are not in use here are an error."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for term in selector.get("matchExpressions", ()):
        if term["operator"] != "In":
            raise ValueError(f"the operator {term['operator']} is not known here")
        if labels.get(term["key"]) not in term["values"]:
            return False
    return True


def parse(texts: Iterable[tuple[str, str]]) -> Tree:
    """Return the objects of named texts."""
    return Tree(tuple(Thing(name, body) for name, text in texts for body in yaml.safe_load_all(text) if body))


def read() -> Tree:
    """Return what is in the repository."""
    return parse(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for path in (*manifests.files(), manifests.LOAD):
        yield f"{path.parent.name}/{path.name}", path.read_text(encoding="utf-8")
