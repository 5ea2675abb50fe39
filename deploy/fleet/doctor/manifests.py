"""The traps of Daphne, Redis and Kubernetes in a Compose file or in manifests, the fleet's own or anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from fleet.doctor import processes
from fleet.doctor.finding import Finding
from fleet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fleet.doctor.processes import Process

DRAIN_SECONDS = 35
"""A drain takes 30 s at most, and what is under way then a moment."""
ENDINGS = (".yaml", ".yml")
RETIRED = "nginx.ingress.kubernetes.io/"
OURS = "python -m server --socket-dir /run/fanout"
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def is_one(path: Path) -> bool:
    """Return whether a path is that of manifests: a folder of them, or a file."""
    return path.is_dir() or path.suffix in ENDINGS


def of_path(path: Path) -> Iterator[Finding]:
    """Yield what is wrong with a file, or with all of a folder.

    Raise UsageError when it cannot be read, or holds nothing to look at: that would pass for well.
    """
    if path.is_dir():
        yield from _of_folder(path)
    files = sorted(each for each in path.iterdir() if each.suffix in ENDINGS) if path.is_dir() else [path]
    documents = [document for file in files for document in _read(file)]
    if not any(processes.is_compose(each) or processes.is_manifest(each) for each in documents):
        what = "no Compose file and no manifest"
        where = f"{path} (folders in it are not looked into: name them)" if path.is_dir() else str(path)
        raise UsageError(f"There is {what} in {where}.")
    yield from findings(documents)


def _of_folder(path: Path) -> Iterator[Finding]:
    for name in KUSTOMIZATIONS:
        if (path / name).exists():
            yield Finding(
                f"{path / name} lies among the manifests.",
                "`kubectl apply -f` takes every file of a folder, and ends with an error at this one.",
                f"put it into a folder of its own, or kubectl apply -k {path}",
            )


def _read(path: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is no YAML that can be read: {str(error).splitlines()[0]}") from None


def findings(documents: list[Any]) -> Iterator[Finding]:
    """Yield what is wrong."""
    for process in processes.of(documents):
        if any(word == "daphne" or word.endswith("/daphne") for word in process.words):
            yield from _of_daphne(process)
        if _is_server(process):
            yield from _of_ending(process)
            yield from _of_probes(process)
        if any(word == "redis-server" or word.endswith("/redis-server") for word in process.words):
            yield from _of_redis(process)
        if "runworker" in process.words:
            yield Finding(
                f"{process.where} runs Channels' runworker.",
                "Over a pub/sub layer each of them gets a copy of a message, and nobody does when none is there; "
                "Channels promises exactly one receiver.",
                "manage.py worker, and a job of it (app/fanout/howto/background-work.md)",
            )
    yield from _of_ingresses(documents)


def _is_server(process: Process) -> bool:
    pairs = zip(process.words, process.words[1:], strict=False)
    return ("-m", "server") in pairs or any(word.rpartition("/")[2] == "daphne" for word in process.words)


def _of_daphne(process: Process) -> Iterator[Finding]:
    if process.value("-u", "--unix-socket") is not None:
        yield Finding(
            f"{process.where} starts Daphne with -u.",
            "Its backlog is 50, so a storm of 1,000 handshakes gets 88 % of 502; everybody may open its socket (0666); "
            "and after a kill in a container its lock names a living process 1: it does not start again.",
            f"{OURS}, or daphne -e unix:/run/fanout/web-1.sock:mode=660:backlog=4096:lockfile=0",
        )
    if process.value("--proxy-headers") is not None:
        yield Finding(
            f"{process.where} starts Daphne with --proxy-headers.",
            "It takes the leftmost address of X-Forwarded-For for the client's, which the client itself may have sent.",
            f"{OURS}, which believes X-Real-IP of its nginx alone",
        )
    yield Finding(
        f"{process.where} runs Daphne as it is.",
        "At SIGTERM it cuts every socket without a close frame (1006) and runs no `disconnect`; one client that never "
        "reads costs it 290 MB and more.",
        OURS,
    )


def _of_ending(process: Process) -> Iterator[Finding]:
    if process.grace < DRAIN_SECONDS:
        yield Finding(
            f"{process.where} has {process.grace:g} s to end.",
            f"A drain takes up to {DRAIN_SECONDS} s: after that the process is killed, and the clients that are left "
            "are cut with 1006 all at once.",
            "stop_grace_period: 40s (Compose), terminationGracePeriodSeconds: 60 (Kubernetes, with preStop and nginx)",
        )

    if process.is_told_late:
        yield Finding(
            f"{process.where} has no preStop.",
            "Kubernetes takes a pod out of its Services beside the signal, not before it: for some seconds new clients "
            "come to a replica that has begun to drain, and are refused.",
            'lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}',
        )


def _of_probes(process: Process) -> Iterator[Finding]:
    alive, ready = (_asked(process.probes.get(f"{name}Probe")) for name in ("liveness", "readiness"))
    if alive is not None and (alive == ready or "/readyz" in str(alive)):
        yield Finding(
            f"{process.where} is asked the same for liveness as for readiness.",
            "A replica that drains, or has lost Redis, is not ready and well: it is killed in the middle of its drain, "
            "and all of them are while Redis is away.",
            "/healthz for livenessProbe, /readyz for readinessProbe",
        )


def _asked(probe: Any) -> Any:
    """Return what a probe asks for, whenever it does."""
    kinds = ("httpGet", "exec", "tcpSocket", "grpc")
    return next((probe[kind] for kind in kinds if kind in probe), None) if isinstance(probe, dict) else None


def _of_redis(process: Process) -> Iterator[Finding]:
    policy = process.value("--maxmemory-policy")
    if policy not in (None, "noeviction"):
        yield Finding(
            f"{process.where} starts Redis with --maxmemory-policy {policy}.",
            "When its memory is used up it throws parts of streams away, which clients are told as a loss.",
            "--maxmemory-policy noeviction",
        )
    kept = process.value("--appendonly")
    has_file = any(word.endswith(".conf") for word in process.words)  # which may say it
    if kept == "no" or (kept is None and not has_file):
        yield Finding(
            f"{process.where} starts Redis {'without --appendonly' if kept is None else 'with --appendonly no'}.",
            "Each restart loses what was acknowledged: every client that comes back is told `reset`.",
            "redis-server --appendonly yes, and a volume for its --dir; a cache alone needs neither",
        )


def _of_ingresses(documents: Iterable[Any]) -> Iterator[Finding]:
    for document in (each for found in documents if processes.is_manifest(found) for each in processes.objects(found)):
        if document.get("kind") != "Ingress":
            continue
        metadata = document.get("metadata") or {}
        if any(name.startswith(RETIRED) for name in metadata.get("annotations") or {}):
            yield Finding(
                f"Ingress/{metadata.get('name')} has annotations of the community's ingress-nginx.",
                "It is retired: no fix of it comes any more, and another controller reads none of them.",
                "a Gateway (deploy/kubernetes/gateway.yaml), or a controller that needs no annotations",
            )
