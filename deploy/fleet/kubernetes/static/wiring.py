"""What names something names something that is there: selectors, ports, accounts, configuration and secrets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fleet.kubernetes.kubectl import NAMESPACE
from fleet.kubernetes.static.tree import matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.kubernetes.static.tree import Maker, Thing, Tree

CLUSTER_WIDE = ("Namespace", "PriorityClass")


def problems(tree: Tree) -> Iterator[str]:
    """Yield what leads nowhere."""
    yield from _names(tree)
    yield from _selectors(tree)
    yield from _ports(tree)
    for maker in tree.makers():
        yield from _references(maker, tree)


def _names(tree: Tree) -> Iterator[str]:
    """Each object once, and in the fleet's namespace."""
    for (kind, name), count in Counter((thing.kind, thing.name) for thing in tree.things).items():
        if count > 1:
            yield f"There are {count} objects of the kind {kind} named {name}."
    for thing in tree.things:
        wanted = None if thing.kind in CLUSTER_WIDE else NAMESPACE
        if thing.body["metadata"].get("namespace") != wanted:
            yield f"{thing}: its namespace is not {wanted}."


def _selectors(tree: Tree) -> Iterator[str]:
    for maker in tree.makers():
        selector = maker.thing.spec.get("selector")
        if selector is not None and not matches(selector, maker.labels):
            yield f"{maker}: its selector does not select its own pods."
    for service in tree.of("Service"):
        if not tree.selected({"matchLabels": service.spec["selector"]}):
            yield f"{service}: it selects no pod."
    for thing in tree.of("PodDisruptionBudget", "NetworkPolicy"):
        for selector in _pod_selectors(thing.spec):
            if not tree.selected(selector):
                yield f"{thing}: it selects no pod by {selector}."
    yield from _scalers(tree)


def _scalers(tree: Tree) -> Iterator[str]:
    for scaler in tree.of("HorizontalPodAutoscaler"):
        target = scaler.spec["scaleTargetRef"]
        aimed = [thing for thing in tree.of(target["kind"]) if thing.name == target["name"]]
        if not aimed:
            yield f"{scaler}: there is no {target['kind']} {target['name']}."
        if any("replicas" in thing.spec for thing in aimed):
            yield f"{scaler}: {target['name']} says replicas too, so each apply would undo what was scaled."


def _pod_selectors(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every selector of pods in a policy or a budget."""
    if "podSelector" in spec or "selector" in spec:
        yield spec["podSelector"] if "podSelector" in spec else spec["selector"]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for peer in (*rule.get("from", ()), *rule.get("to", ())):
            if "podSelector" in peer:
                yield peer["podSelector"]


def _ports(tree: Tree) -> Iterator[str]:
    """Ports have names, and are called by them."""
    yield from _probes(tree)
    for service in tree.of("Service"):
        for maker in tree.selected({"matchLabels": service.spec["selector"]}):
            for port in service.spec["ports"]:
                if port.get("targetPort") not in maker.ports or not port.get("name"):
                    yield f"{service}: {maker.thing.name} has no port named {port.get('targetPort')}."
    for ingress in tree.of("Ingress"):
        yield from _of_ingress(ingress, tree)
    for policy in tree.of("NetworkPolicy"):
        yield from _of_policy(policy, tree)


def _probes(tree: Tree) -> Iterator[str]:
    for maker in tree.makers():
        for container in maker.containers:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in maker.ports:
                    yield f"{maker}: {probe} of {container['name']} asks the port {port}, which has no such name."


def _of_ingress(ingress: Thing, tree: Tree) -> Iterator[str]:
    known = {service.name: {port["name"] for port in service.spec["ports"]} for service in tree.of("Service")}
    for rule in ingress.spec["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            if service["port"].get("name") not in known.get(service["name"], ()):
                yield f"{ingress}: there is no Service {service['name']} with a port named {service['port']}."


def _of_policy(policy: Thing, tree: Tree) -> Iterator[str]:
    own = tree.selected(policy.spec["podSelector"])
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in policy.spec.get(direction, ()):
            far = [maker for peer in rule.get(peers, ()) for maker in tree.selected(peer.get("podSelector", {}))]
            aimed = own if direction == "ingress" else far
            names = {name for maker in aimed for name in maker.outward()}
            for port in rule.get("ports", ()):
                # A rule without pods leads out, where ports have no names that could be used.
                if port["port"] not in names and (direction == "ingress" or rule.get(peers)):
                    yield f"{policy}: nobody in {direction} has a port named {port['port']}."


def _references(maker: Maker, tree: Tree) -> Iterator[str]:
    names = {kind: {thing.name for thing in tree.of(kind)} for kind in ("ServiceAccount", "ConfigMap", "Secret")}
    priorities = {thing.name for thing in tree.of("PriorityClass")}
    account = maker.pod.get("serviceAccountName")
    if account is not None and account not in names["ServiceAccount"]:
        yield f"{maker}: there is no ServiceAccount {account}."
    if (priority := maker.pod.get("priorityClassName")) and priority not in priorities:
        yield f"{maker}: there is no PriorityClass {priority}."
    for kind, name in (*_of_volumes(maker), *_of_variables(maker)):
        if name not in names[kind]:
            yield f"{maker}: there is no {kind} {name}."
    volumes = {volume["name"] for volume in maker.pod.get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in maker.thing.spec.get("volumeClaimTemplates", ())}
    for container in maker.containers:
        for mount in container.get("volumeMounts", ()):
            if mount["name"] not in volumes:
                yield f"{maker}: {container['name']} mounts {mount['name']}, which is no volume."


def _of_volumes(maker: Maker) -> Iterator[tuple[str, str]]:
    for volume in maker.pod.get("volumes", ()):
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]
            if "secret" in source:
                yield "Secret", source["secret"].get("secretName", source["secret"].get("name"))


def _of_variables(maker: Maker) -> Iterator[tuple[str, str]]:
    for container in maker.containers:
        for source in container.get("envFrom", ()):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"]
