"""The manifests agree with the rest of the repository: its version, its images, its variables, its Redis, its times."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from fleet import redis_accounts
from fleet.compose.project import defaults
from fleet.kubernetes import edge, manifests
from fleet.options import REPOSITORY
from fleet.supervision import DRAIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.kubernetes.static.tree import Maker, Tree

ENVIRONMENT = REPOSITORY / "app" / "config" / "env.py"
REDIS = REPOSITORY / "deploy" / "redis.conf"
PREFIX = "FANOUT_"
PROPAGATION_SECONDS = 5
"""For every node and controller to hear that a pod ends; usually below one."""
NGINX_SECONDS = 10
"""For nginx' last responses."""
REPLICA = re.compile(r"web-\d+")
WISH = re.compile(r"([a-z-]+)/(\w+)=\d+")
UNITS = {"m": 0.001, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
SURGE = 1
"""Web pods beyond the most, which a rolling update makes (maxSurge)."""


def problems(tree: Tree) -> Iterator[str]:
    """Yield what says something else here than there."""
    yield from _images(tree)
    yield from _variables(tree)
    yield from _redis(tree)
    yield from _secrets(tree)
    yield from _replicas(tree)
    yield from _quota(tree)


def _images(tree: Tree) -> Iterator[str]:
    version, others = manifests.version(), {defaults()["REDIS_IMAGE"], defaults()["POSTGRES_IMAGE"]}
    for maker in tree.makers():
        for container in maker.containers:
            name, _, tag = container["image"].partition(":")
            if name in manifests.OURS and tag != version:
                yield f"{maker}: {container['image']} is not of the version {version}."
            if name not in manifests.OURS and container["image"] not in others:
                yield f"{maker}: {container['image']} is none of compose.yaml's images."
        is_ours = any(container["image"].startswith(manifests.OURS[0]) for container in maker.containers)
        if maker.thing.kind == "Job" and is_ours and not maker.thing.name.endswith(f"-{manifests.label(version)}"):
            yield f"{maker}: its name does not end in the version {version}, so an upgrade would not run it."


def known() -> tuple[str, ...]:
    """Return the variables of app/config/env.py, which is read, not imported: it belongs to another environment."""
    for node in ast.parse(ENVIRONMENT.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "VARIABLES" for target in node.targets):
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"{ENVIRONMENT} has no VARIABLES.")


def _variables(tree: Tree) -> Iterator[str]:
    variables = known()
    named = [(str(thing), name) for thing in tree.of("ConfigMap") for name in thing.body.get("data") or ()]
    named += [
        (str(maker), each["name"])
        for maker in tree.makers()
        for container in maker.containers
        for each in container.get("env", ())
    ]
    for where, name in named:
        if name.startswith(PREFIX) and name not in variables:
            yield f"{where}: {name} is no variable of app/config/env.py."


def _redis(tree: Tree) -> Iterator[str]:
    for thing in tree.of("ConfigMap"):
        if thing.name == "redis" and thing.body["data"]["redis.conf"] != REDIS.read_text(encoding="utf-8"):
            yield f"{thing}: redis.conf is not deploy/redis.conf, to the letter."
        if thing.name == "redis" and thing.body["data"]["users.acl"] != redis_accounts.FILE.read_text(encoding="utf-8"):
            yield f"{thing}: users.acl is not deploy/redis.acl, to the letter."


def _secrets(tree: Tree) -> Iterator[str]:
    """Secrets are empty here, and the Job makes each key that a pod mounts, by a right to exactly these."""
    wished = {
        match.groups()
        for maker in tree.makers()
        for container in maker.containers
        for word in container.get("args", ())
        if (match := WISH.fullmatch(word))
    }
    for maker in tree.makers():
        for name, item in _mounted(maker):
            if (name, item) not in wished:
                yield f"{maker}: nobody makes {item} of the secret {name}."
    for secret in tree.of("Secret"):
        if secret.body.get("data") or secret.body.get("stringData"):
            yield f"{secret}: there is something secret in the repository."
    for role in tree.of("Role"):
        for rule in role.body["rules"]:
            if set(rule.get("resourceNames", ())) != {name for name, _ in wished}:
                yield f"{role}: its resourceNames are not the secrets that the Job makes."


def _mounted(maker: Maker) -> Iterator[tuple[str, str]]:
    for volume in maker.pod.get("volumes", ()):
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            if secret := source.get("secret"):
                for item in secret["items"]:
                    yield secret.get("secretName", secret.get("name")), item["key"]


def _replicas(tree: Tree) -> Iterator[str]:
    """Replicas of a pod differ in their names alone, nginx knows each, and the pod's end leaves time for theirs."""
    for maker in tree.makers():
        replicas = [container for container in maker.containers if REPLICA.fullmatch(container["name"])]
        if not replicas:
            continue
        names = [container["name"] for container in replicas]
        if names != [f"web-{number}" for number in range(1, edge.REPLICAS + 1)]:
            yield f"{maker}: nginx knows web-1 to web-{edge.REPLICAS} (deploy/fleet/kubernetes/edge.py), not {names}."
        alike = {str(container).replace(container["name"], "web-N") for container in replicas}
        if len(alike) > 1:
            yield f"{maker}: {' and '.join(names)} differ in more than their names."
        grace, needed = maker.pod["terminationGracePeriodSeconds"], PROPAGATION_SECONDS + DRAIN_SECONDS + NGINX_SECONDS
        if grace < needed:
            yield f"{maker}: {grace} s of grace are less than the {needed} s that a pod's end may take."
        for container in replicas:
            if _sleep(container) != PROPAGATION_SECONDS:
                yield f"{maker}: {container['name']} does not wait {PROPAGATION_SECONDS} s before it drains."


def _sleep(container: dict[str, Any]) -> int:
    command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
    return int(command[1]) if command[:1] == ["sleep"] else 0


def _quota(tree: Tree) -> Iterator[str]:
    """Everything fits into the quota at once: the most web pods and one, every Job, a load test."""
    taken: dict[str, float] = dict.fromkeys(("requests.cpu", "requests.memory", "limits.memory", "requests.storage"), 0)
    most = {
        scaler.spec["scaleTargetRef"]["name"]: scaler.spec["maxReplicas"]
        for scaler in tree.of("HorizontalPodAutoscaler")
    }
    count = 0
    for maker in tree.makers():
        times = most[maker.thing.name] + SURGE if maker.thing.name in most else maker.thing.spec.get("replicas", 1)
        count += times
        for container in maker.containers:
            for key in ("requests.cpu", "requests.memory", "limits.memory"):
                where, what = key.split(".")
                taken[key] += times * amount(container.get("resources", {}).get(where, {}).get(what, "0"))
        for claim in maker.thing.spec.get("volumeClaimTemplates", ()):
            taken["requests.storage"] += times * amount(claim["spec"]["resources"]["requests"]["storage"])
    for quota in tree.of("ResourceQuota"):
        hard = {name: amount(value) for name, value in quota.spec["hard"].items()}
        for key, needed in {**taken, "count/pods": count}.items():
            if needed > hard.get(key, needed):
                yield f"{quota}: {key} is {hard[key]:g}, and all files together may take {needed:g}."


def amount(text: str) -> float:
    """Return the number of a quantity: 150m, 64Mi, 2."""
    for unit, size in UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    return float(text)
