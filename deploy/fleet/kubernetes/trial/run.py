"""Takes a fleet through all items, judges each, and writes down what was seen."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING

from fleet.errors import FAILED, FleetError, UsageError
from fleet.kubernetes import doctor
from fleet.kubernetes.images import built, commit
from fleet.kubernetes.kubectl import Kubectl, require
from fleet.kubernetes.trial import record, successor
from fleet.kubernetes.trial.fleet import Fleet
from fleet.kubernetes.trial.items import ITEMS, Item
from fleet.kubernetes.trial.proof import RATE, USERS, Flow, Proof
from fleet.kubernetes.trial.record import Circumstances, Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.kubernetes.kubectl import Context
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

FLOW_SECONDS = 5.0
"""For which publications flow before something happens, and after it has healed: a hundred of them."""


def trial(asked: Options, _run: Run, progress: Progress) -> int:
    """Do every item; 0 when each was as it should be. ARGS names some of them: then nothing is written."""
    kubectl = Kubectl()
    server, context = require(kubectl), kubectl.context()
    chosen = choose(asked.arguments)
    refuse(context, kubectl, is_told=asked.yes)
    findings = [
        *doctor.of_version(server),
        *doctor.of_rights(kubectl),
        *doctor.of_storage(kubectl),
        *doctor.of_images(kubectl),
    ]
    if wrong := [finding.sentence for finding in findings if finding.is_wrong]:
        raise FleetError(" ".join(wrong))
    began, at = dt.datetime.now(dt.UTC), commit()
    fleet = Fleet(kubectl)
    if any(item.name == "upgrade" for item in chosen):
        successor.prepare(context, asked.loader, progress)
    if chosen[0] is ITEMS[0] and kubectl.exists():
        with progress.step("remove the fleet that is there"):
            fleet.remove()
    flow = Flow(asked.users or USERS, asked.rate or RATE)
    done = [perform(item, fleet, flow, progress) for item in chosen]
    return conclude(done, Circumstances(began, at, built(), server, flow), kubectl, progress)


def choose(names: Sequence[str]) -> list[Item]:
    """Return the items of these names, all without one. Raise UsageError for a name of none."""
    known = [item.name for item in ITEMS]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"ARGS={unknown[0]} is no item: {', '.join(known)}.")
    return [item for item in ITEMS if not names or item.name in names]


def refuse(context: Context, kubectl: Kubectl, *, is_told: bool) -> None:
    """Raise UsageError when something of somebody's could be broken, and nobody has said that it may be."""
    if is_told:
        return
    if not context.is_for_tests:
        raise UsageError(
            f"{context.name} at {context.server} is no cluster of this machine, and this breaks what runs there: "
            "choose a test cluster (`kubectl config use-context NAME`), or say YES=1."
        )
    if kubectl.exists():
        raise UsageError(
            "There is a namespace fanout already, which would be deleted with its data: `kubectl delete -f k8s`, or "
            "YES=1."
        )


def perform(item: Item, fleet: Fleet, flow: Flow, progress: Progress) -> Done:
    """Do one item, under the proof if it is meant to be."""
    begin, seen, outcome, failure = time.monotonic(), "", None, ""
    with progress.step(item.title) as step:
        try:
            if item.proof:
                with Proof(fleet.kubectl, flow) as proof:
                    time.sleep(FLOW_SECONDS)  # the time in which publications flow is what is wanted
                    seen = item.do(fleet)
                    fleet.until("all clients connected", proof.is_whole)
                    time.sleep(FLOW_SECONDS)
                    outcome = proof.end()
            else:
                seen = item.do(fleet)
        except FleetError as error:
            failure = str(error)
        done = Done(item, seen, outcome, time.monotonic() - begin, failure)
        step.note = "" if done.is_well else "failed"
    progress.say(f"      {done.sentence()}")
    if outcome is not None:
        progress.say(
            f"      {outcome.received:,} deliveries, {outcome.lost} lost, {outcome.doubled} doubled, "
            f"{outcome.disordered} out of order, {outcome.resets} resets"
        )
    return done


def conclude(done: Sequence[Done], circumstances: Circumstances, kubectl: Kubectl, progress: Progress) -> int:
    """Write the results when every item was done; return the exit code."""
    failed = [each.item.name for each in done if not each.is_well]
    skipped = [item.name for item in ITEMS if item.name not in {each.item.name for each in done}]
    if skipped:
        progress.say(f"Nothing is written, since these were skipped: {', '.join(skipped)}.")
    else:
        client = json.loads(kubectl.call("version", "-o", "json"))["clientVersion"]["gitVersion"]
        record.FILE.parent.mkdir(exist_ok=True)
        record.FILE.write_text(record.text(done, circumstances, client), encoding="utf-8")
        progress.say(f"Written to {record.FILE}.")
    progress.say(f"Failed: {', '.join(failed)}." if failed else f"All {len(done)} as they should be.")
    return FAILED if failed or skipped else 0
