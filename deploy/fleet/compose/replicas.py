"""The replicas of a project, and its worker: which slot each has, how it does, how one takes another's."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet import tls, waiting
from fleet.answering import replica_at
from fleet.compose import containers, images, override
from fleet.compose.echo import echo
from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.compose.containers import Container
    from fleet.compose.project import Project
    from fleet.progress import Progress, Step
    from fleet.state import Settings

WEB = "web"
DRAIN_SECONDS = 40  # as stop_grace_period in compose.yaml
PROBE = ("python", "-m", "ops.probe")
PROBE_SECONDS = 15.0  # starting a program in a container takes a busy machine a second
READY_SECONDS = 180.0  # on a machine that is busy with other things a program takes a minute to start
ASK_EVERY = 0.5  # each question starts a program in a container, on the cores that start the replicas
HOPELESS_STARTS = 4  # a replica that the engine has started that often has a reason that waiting does not heal
END_TO_END_SECONDS = 20.0
SEEN_SECONDS = 3.0  # three times the second for which nginx leaves a failed slot alone
LAST = 1 << 30


@dataclass(frozen=True)
class Replica:
    """A container of `web` or `worker`, and what it says of itself."""

    container: Container
    said: dict[str, Any]
    """The body of /readyz; empty when there is no answer."""

    @property
    def slot(self) -> str:
        """Return its slot, for example `web-1`; `?` as long as it does not say. The worker is its only one."""
        return str(self.said.get("replica") or ("?" if self.container.service == WEB else self.container.service))

    @property
    def is_ready(self) -> bool:
        """Return whether it takes clients and all its checks are well."""
        return self.said.get("status") == "ready"

    @property
    def rank(self) -> int:
        """Return the number of its slot; one that has none is behind all."""
        number = self.slot.rpartition("-")[2]
        return int(number) if number.isdecimal() else LAST


def found(project: Project, service: str = WEB) -> list[Replica]:
    """Return all replicas, in the order of their slots, or the containers of another service that can be asked."""
    return asked(project, containers.listed(project, service))


def asked(project: Project, listed: Sequence[Container]) -> list[Replica]:
    """Ask containers side by side, return them in the order of their slots."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = pool.map(lambda container: Replica(container, _ask(project, container)), listed)
        return sorted(answers, key=lambda replica: (replica.rank, replica.container.number))


def _asked_again(project: Project, listed: Sequence[Container], before: Sequence[Replica]) -> list[Replica]:
    """Ask those that were not ready before, or whose process is another one by now."""
    was = {(each.container.id, each.container.started): each for each in before if each.is_ready}
    kept = [each for container in listed if container.is_up and (each := was.get((container.id, container.started)))]
    ids = {each.container.id for each in kept}
    fresh = asked(project, [container for container in listed if container.id not in ids])
    return sorted([*kept, *fresh], key=lambda replica: (replica.rank, replica.container.number))


def _ask(project: Project, container: Container) -> dict[str, Any]:
    if not container.is_up:
        return {}
    command = [project.engine.program, "exec", container.id, *PROBE]
    try:
        done = subprocess.run(
            command, env=project.engine.environ, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def outdated(project: Project, listed: Sequence[Container]) -> list[Container]:
    """Return those that were made from another image or description than they would be made from now."""
    words = project.compose("config", "--hash", WEB).split()
    wanted, image = words[-1], images.identity(project, images.name(project, "APP_IMAGE"))
    return [container for container in listed if (container.config_hash, container.image) != (wanted, image)]


def stop(project: Project, listed: Sequence[Container]) -> None:
    """Drain containers side by side, and take them away."""
    ids = [container.id for container in listed]
    if not ids:
        return
    for container in listed:
        if container.status == "paused":  # it could not hear the signal
            project.engine.call("unpause", container.id)
    project.engine.call("stop", "--time", str(DRAIN_SECONDS), *ids)
    project.engine.call("rm", "--force", *ids)


def fill(project: Project, count: int) -> None:
    """Start what is down and make what is missing; what runs is left as it is."""
    project.compose("up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", f"{WEB}={count}", WEB)


def replace(project: Project, settings: Settings, old: Sequence[Replica], count: int, progress: Progress) -> None:
    """Put a new replica in the slot of each old one, one after the other, while the others serve."""
    for replica in old:
        with progress.step(f"replace {replica.slot}") as step:
            stop(project, [replica.container])
            fill(project, count)
            wait(project, count, step)
            step.note = ""
            wait_until_seen(settings, project, replica.slot)


def wait(project: Project, count: int, step: Step, service: str = WEB) -> None:
    """Wait until that many are ready. Raise FleetError that says what is in the way."""
    seen: list[Replica] = []
    begin = time.monotonic()

    def is_over() -> bool:
        seen[:] = _asked_again(project, containers.listed(project, service), seen)
        ready = sum(replica.is_ready for replica in seen)
        step.note = f"{ready} of {count}"
        hopeless = any(_is_hopeless(replica.container) for replica in seen)
        return ready >= count or hopeless or time.monotonic() - begin > READY_SECONDS

    waiting.until(is_over, READY_SECONDS, ASK_EVERY)
    if sum(replica.is_ready for replica in seen) < count:
        raise FleetError(_reason(project, seen))


def _is_hopeless(container: Container) -> bool:
    return container.restarts >= HOPELESS_STARTS or container.status in ("exited", "dead")


def _reason(project: Project, seen: Sequence[Replica]) -> str:
    """Return the sentence about the first replica that is not ready."""
    ill = next((replica for replica in seen if not replica.is_ready), None)
    if ill is None:
        return "A replica is missing: `make up` once more makes it."
    checks = [f"{check}: {verdict}" for check, verdict in ill.said.get("checks", {}).items() if verdict != "ok"]
    if checks:
        return f"{ill.slot} runs but is not ready ({'; '.join(checks)}): `make logs` tells more."
    name = ill.container.name
    return f"{name} {ill.container.ill() or 'does not answer'}; it last said: {last_line(project, name)}"


def last_line(project: Project, name: str) -> str:
    """Return the last line that a container has said."""
    command = [project.engine.program, "logs", "--tail", "20", name]
    done = subprocess.run(command, env=project.engine.environ, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


def end_to_end(settings: Settings, project: Project) -> None:
    """Send a chat message through nginx and get it back. Raise FleetError when it does not come."""
    failure = "no answer"

    def comes_back() -> bool:
        nonlocal failure
        try:
            trust = tls.trusting(settings.tls_certificate) if settings.tls else None
            echo(address(settings), settings.way_in, host(settings, project), trust)
        except (OSError, ValueError) as error:
            failure = str(error) or type(error).__name__
            return False
        return True

    if not waiting.until(comes_back, END_TO_END_SECONDS):
        raise FleetError(f"No chat message comes through nginx ({failure}): `make logs` tells more.")


def wait_until_seen(settings: Settings, project: Project, slot: str) -> None:
    """Wait until nginx gives requests to a replica again; go on without when it takes too long."""
    waiting.until(lambda: answering(settings, project) == slot, SEEN_SECONDS)


def answering(settings: Settings, project: Project) -> str | None:
    """Return the replica that answers a request through nginx; None when there is no answer."""
    return replica_at(address(settings), settings, host(settings, project))


def address(settings: Settings) -> str:
    """Return an address at which this machine reaches nginx."""
    first = override.addresses(settings)[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)


def host(settings: Settings, project: Project) -> str:
    """Return a Host header that the application accepts."""
    allowed = project.kept().get("FANOUT_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    return f"{'localhost' if allowed in ('', '*') else allowed}:{settings.way_in}"
