"""`make up` over a container engine: starts the fleet, heals it, or brings a running one to what is asked for."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet import authority, ports, tls, waiting
from fleet.compose import containers, descriptors, images, override, replicas, secrets, status
from fleet.compose.project import refuse_fixed
from fleet.compose.reload import reload_nginx
from fleet.configuration import decide
from fleet.django import reason
from fleet.environment import PREFIX
from fleet.errors import FleetError
from fleet.hosts import tell_hosts
from fleet.options import REPOSITORY
from fleet.state import WORKER, Settings, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleet.compose.project import Project
    from fleet.compose.replicas import Replica
    from fleet.options import Options
    from fleet.progress import Progress

SERVERS = ("redis", "postgres", "nginx")
ILL = {"redis": ("starting", "unhealthy"), "postgres": ("starting", "unhealthy"), "nginx": ("unhealthy",)}
"""A server with clients in the fleet is waited for; what nginx needs is that it runs."""
HEALTHY_SECONDS = 120.0  # a first start makes the database; a large append-only file takes its time
SAID_LINES = 20
CERTIFICATES = REPOSITORY / "deploy" / "fleet" / "certificates.py"
MOUNTED = REPOSITORY / "deploy" / "redis.conf"


def up(asked: Options, project: Project, progress: Progress) -> int:
    """Bring the fleet up and wait until it answers end to end."""
    settings, given = begin(asked, project, progress)
    finish(project, settings, given, progress, every=False)
    return 0


def begin(asked: Options, project: Project, progress: Progress) -> tuple[Settings, dict[str, str]]:
    """Decide, refuse what cannot work, and make images, secrets and the files that Compose reads."""
    given = project.given(asked.env_file)
    refuse_fixed(given)
    _refuse_unreadable()
    listed = containers.listed(project)
    settings = decide(asked, _current(asked, project, listed))
    settings = replace(settings, compose=" ".join(project.program()))
    tls.refuse_unusable(settings)
    if not any(container.has_ports for container in containers.of(listed, "nginx")) or settings != project.recall():
        refuse_taken(settings, project, listed)
    _refuse_locked_data(project)
    if made := secrets.ensure(project.secrets):
        progress.say(f"  Made {', '.join(made)} in {project.secrets}.")
    with project.remembering(settings, given):
        images.prepare(project, progress)
        if "NOFILE" not in given and (fewer := descriptors.fewer(project)):
            progress.say(f"  This engine may not give more than {fewer:,} open files to a container: NOFILE={fewer}.")
            given["NOFILE"] = str(fewer)
            project.remember(settings, given)
        with progress.step("check the settings"):
            _check(project, given)
    return settings, given


def _refuse_unreadable() -> None:
    """Raise FleetError when Redis' account could not read its configuration, as after a clone with umask 077."""
    if not MOUNTED.stat().st_mode & stat.S_IROTH:
        raise FleetError(f"{MOUNTED} cannot be read by a container's account: chmod o+r {MOUNTED}.")


def _refuse_locked_data(project: Project) -> None:
    """Raise FleetError for a database whose password is gone with the run folder: a new one would not fit it."""
    held = [name for name in project.volumes() if name.endswith("_postgres")]
    if held and not (project.secrets / secrets.DATABASE_PASSWORD).exists():
        raise FleetError(
            f"The volume {held[0]} holds the data of an earlier fleet, whose password is no more in "
            f"{project.secrets}: put that folder back, or delete the data with `make down MODE=compose DATA=drop`."
        )


def _current(asked: Options, project: Project, listed: Sequence[containers.Container]) -> Settings:
    """Return the settings of the running fleet; more replicas than it was told to have were asked for by hand."""
    kept = project.recall()
    counted = len(containers.of(listed, replicas.WEB))
    return replace(kept, replicas=max(kept.replicas, counted)) if asked.replicas is None else kept


def refuse_taken(settings: Settings, project: Project, listed: Sequence[containers.Container]) -> None:
    """Raise FleetError when somebody else has the port; what our own nginx has already is no obstacle."""
    before, runs = project.recall(), any(container.has_ports for container in containers.of(listed, "nginx"))
    for address in override.addresses(settings):
        for port, variable in ((settings.port, "PORT"), (settings.tls_port, "TLS_PORT")):
            is_ours = runs and port in (before.port, before.tls_port)
            if port and not is_ours:
                ports.refuse_taken(address, port, project.run, variable)


def _check(project: Project, given: Mapping[str, str]) -> None:
    """Let the application judge its variables, in a container of its own. Raise FleetError with its sentence."""
    needed = {
        "FANOUT_SECRET_KEY": "x" * 50,
        "FANOUT_REDIS_URLS": "redis://redis",
        "FANOUT_ALLOWED_HOSTS": "localhost",
        **{name: value for name, value in given.items() if name.startswith(PREFIX)},
    }
    named = [word for name in needed for word in ("--env", name)]
    image = images.name(project, "APP_IMAGE")
    try:
        project.engine.call(
            "run", "--rm", "--network", "none", "--read-only", "--user", "10001:10001", "--cap-drop", "ALL", *named,
            image, "manage.py", "check", variables=needed,
        )  # fmt: skip
    except FleetError as error:
        raise FleetError(reason("check", str(error))) from None


def finish(project: Project, settings: Settings, given: Mapping[str, str], progress: Progress, *, every: bool) -> None:
    """Bring the containers about: servers first, then the database's schema, then the replicas one by one."""
    _ensure_certificate(project, settings, given, progress)
    is_reload_due = write_nginx(project, settings)
    _unpause(project)
    with progress.step("start Redis, PostgreSQL and nginx"):
        before = {container.id for container in containers.listed(project, "nginx")}
        project.compose("up", "--detach", "--no-build", *SERVERS)
        _wait_healthy(project)
        after = containers.listed(project, "nginx")
    if is_reload_due and {container.id for container in after} == before:
        reload_nginx(project, settings, after[0], progress)
    with progress.step("migrate the database"):
        _migrate(project)
    _bring_replicas(project, settings, progress, every=every)
    _bring_worker(project, progress, every=every)
    with progress.step("send a message through nginx"):
        replicas.end_to_end(settings, project)
    tell_hosts(settings, given, progress)
    progress.say(status.banner(project, settings))


def _unpause(project: Project) -> None:
    """Let what was paused go on; replicas are replaced instead, since their clients have left them."""
    for container in containers.listed(project, *SERVERS, WORKER):
        if container.status == "paused":
            project.engine.call("unpause", container.id)


def _ensure_certificate(project: Project, settings: Settings, given: Mapping[str, str], progress: Progress) -> None:
    """Make the fleet's own certificate where it is one, in the application's image: this machine needs no library."""
    if not (settings.own_certificate and settings.tls_port):
        return

    def renew(held: dict[str, str], names: Sequence[str]) -> dict[str, str]:
        made = project.engine.call(
            "run", "--rm", "--interactive", "--log-driver", "none", "--network", "none", "--read-only",
            "--cap-drop", "ALL", images.name(project, "APP_IMAGE"), "-c", CERTIFICATES.read_text(encoding="utf-8"),
            given=json.dumps({"held": held, "names": names}),
        )  # fmt: skip
        return dict(json.loads(made))

    authority.ensure(authority.Files(project.run.tls), authority.names(settings, given), progress, renew)


def write_nginx(project: Project, settings: Settings) -> bool:
    """Write nginx' own configuration, if it needs one; return whether it differs from the one before."""
    limits = project.limits()
    if not override.is_own(settings, limits):
        return False
    folder = override.folder(project.root)
    folder.mkdir(mode=0o755, exist_ok=True)
    text, path = override.configuration(settings, limits), folder / "nginx.conf"
    is_new = not path.exists() or path.read_text(encoding="utf-8") != text
    if settings.tls_port:
        for source, name in ((settings.tls_certificate, "certificate.pem"), (settings.tls_key, "key.pem")):
            # Readable by nginx' account in its container; on this machine the folder above keeps others out.
            is_new |= _copy(source, folder / name)
    write_private(path, text)
    path.chmod(0o644)
    return is_new


def _copy(source: str, target: os.PathLike[str]) -> bool:
    """Copy a file if it differs; return whether it did."""
    try:
        with open(source, "rb") as new, open(target, "rb") as old:  # noqa: PTH123 - texts from the command line
            if new.read() == old.read():
                return False
    except FileNotFoundError:
        pass
    shutil.copyfile(source, target)
    os.chmod(target, 0o444)  # noqa: PTH101 - as above
    return True


def _wait_healthy(project: Project) -> None:
    """Wait for the servers. Raise FleetError that names the first which is not well."""
    ill: list[containers.Container] = []

    def all_well() -> bool:
        listed = containers.listed(project, *SERVERS)
        # nginx is asked from outside, at the end
        ill[:] = [
            container for container in listed if not container.is_up or container.health in ILL[container.service]
        ]
        return not ill or any(container.restarts >= replicas.HOPELESS_STARTS for container in ill)

    waiting.until(all_well, HEALTHY_SECONDS)
    if ill:
        ill.sort(key=lambda container: -container.restarts)
        name = ill[0].name
        raise FleetError(
            f"{ill[0].service} does not get ready ({ill[0].ill() or 'no answer'}); "
            f"it last said: {replicas.last_line(project, name)} (`make logs NAME={ill[0].service}` tells more)."
        )


def _migrate(project: Project) -> None:
    """Run the migration, and keep its container: by hand, `docker compose up` waits for it to have come through."""
    project.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "migrate")
    container = containers.listed(project, "migrate")[0]
    if (code := project.engine.call("wait", container.id).strip()) != "0":
        said = project.engine.call("logs", "--tail", str(SAID_LINES), container.id)
        lines = reason("migrate", said or replicas.last_line(project, container.id))
        raise FleetError(f"{lines} (exit code {code})")


def _bring_replicas(project: Project, settings: Settings, progress: Progress, *, every: bool) -> None:
    """Start what is missing, replace what is outdated (or `every` one) in turn, drain what is too much."""
    found = replicas.found(project)
    old = found if every else _old(project, found)
    running = [replica for replica in old if replica.container.is_up]
    down = [replica.container for replica in old if not replica.container.is_up]
    replicas.stop(project, down)
    surplus = found[settings.replicas :]
    if surplus:
        with progress.step(f"drain {', '.join(replica.slot for replica in surplus)}"):
            replicas.stop(project, [replica.container for replica in surplus])
    running = [replica for replica in running if replica not in surplus]
    with progress.step("start the replicas") as step:
        replicas.fill(project, settings.replicas)
        replicas.wait(project, settings.replicas, step)
    replicas.replace(project, settings, running, settings.replicas, progress)


def _bring_worker(project: Project, progress: Progress, *, every: bool) -> None:
    """Start the worker, or make it anew when it is outdated; what it was at waits for the next one."""
    with progress.step("start the worker") as step:
        again = ["--force-recreate"] if every else []
        project.compose("up", "--detach", "--no-build", "--no-deps", *again, WORKER)
        replicas.wait(project, 1, step, WORKER)
        step.note = ""


def _old(project: Project, found: Sequence[Replica]) -> list[Replica]:
    """Return the replicas that are to be replaced: outdated ones, and those that do not go on by themselves."""
    listed = [replica.container for replica in found]
    dated = {container.id for container in replicas.outdated(project, listed)} if listed else set()
    stuck = ("paused", "exited", "dead", "created")
    return [replica for replica in found if replica.container.id in dated or replica.container.status in stuck]
