"""Weighs the evidence: what breaks the proof, what makes the test invalid, and the sentences that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proof.judgement.result import Verdict
from proof.quantity import of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proof.judgement.evidence import Evidence
    from proof.judgement.result import Cell, Count
    from proof.judgement.terms import Terms

CPU_LIMIT = 0.8
"""Share of a core: above it the generator's own queue would be measured."""
EARLY_SHARE = 0.001
"""Share of deliveries before their sending from which on clocks are not to be believed."""
ENOUGH_CONNECTS = 10
"""Connections for each replica: with so many, one that took none is not there."""
SHOWN_REFUSALS = 3


def weigh(evidence: Evidence, terms: Terms) -> tuple[Verdict, str, list[str]]:
    """Return verdict, sentence and all reasons, the worst first.

    A lost message is lost even with a busy generator: it breaks the proof. What the test itself may have caused (late,
    never heard because nobody was there to hear) is invalid where the test is.
    """
    hard = list(_hard(evidence))
    soft = list(_soft(evidence, terms))
    unanswered = list(_unanswered(evidence))  # behind what is late: with a long queue that is the reason
    invalid = list(_invalid(evidence, terms))
    if hard or unanswered or (soft and not invalid):
        verdict, why = Verdict.BROKEN, [*hard, *soft, *unanswered, *invalid]
    elif invalid:
        verdict, why = Verdict.INVALID, [*invalid, *soft]
    else:
        return Verdict.PROVED, _proved(evidence), []
    why = [_begun(reason) for reason in why]
    return verdict, why[0], why


def _begun(reason: str) -> str:
    """Return a reason as a sentence begins; an address stays as it is."""
    return reason if "://" in reason.split(" ", 1)[0] else f"{reason[0].upper()}{reason[1:]}"


def _proved(evidence: Evidence) -> str:
    many, whole = len(evidence.replicas), evidence.whole
    open_ = evidence.publications - evidence.acknowledged
    more = f" ({open_:,} more were not acknowledged)" if open_ else ""
    where = "on the one replica" if many == 1 else f"from each of {many} replicas to each"
    return (
        f"{evidence.acknowledged:,} publications{more}, {where}: {whole.received:,} deliveries, "
        f"nothing lost, doubled or out of order{_lateness(evidence)}."
    )


def _lateness(evidence: Evidence) -> str:
    if evidence.delivered:
        return f"; 99 % within {evidence.delivered.p99:.0f} ms{_calm(evidence)}"
    return "; how late is not judged: something was done to the fleet all the time" if evidence.events else ""


def _calm(evidence: Evidence) -> str:
    return " while nothing was done to the fleet" if evidence.events else ""


# -- what breaks the proof ------------------------------------------------------------------------------------


def _hard(evidence: Evidence) -> Iterator[str]:
    deaf = [cell for cell in evidence.cells if cell.count.expected and not cell.count.received]
    for cell in sorted(deaf, key=lambda each: each.count.expected, reverse=True):
        yield (
            f"of {cell.count.expected:,} deliveries from {cell.publisher} to {cell.receiver} none arrived: "
            f"{cell.receiver} hears nothing of {cell.publisher}."
        )
    wrong = [cell for cell in evidence.cells if _amount(cell) and cell not in deaf]
    if wrong:
        yield _worst(max(wrong, key=_amount), evidence.whole, len(wrong))
    if evidence.unknown.lost:
        yield f"{evidence.unknown.lost:,} more deliveries are lost, of publications that nobody received at all."
    if evidence.contradicted:
        yield (
            f"at {of(evidence.contradicted, 'offset')} something else was delivered than was published there: another "
            "publication, or a changed text."
        )
    if evidence.astray:
        yield f"{of(evidence.astray, 'delivery')} went to clients that are not in the publication's group."
    if evidence.misplaced:
        yield f"{evidence.misplaced:,} publications stand in their group in another order than they were made."
    for reason, count in evidence.resets.items():
        who = "1 client was" if count == 1 else f"{count:,} clients were"
        yield f"{who} told `reset` ({reason}), though nothing was done that loses publications."


def _unanswered(evidence: Evidence) -> Iterator[str]:
    """Tell who does not answer; where nobody got any answer at all the test is none."""
    if not evidence.acknowledged or not evidence.unanswered:
        return
    replica, count = max(evidence.unanswered.items(), key=lambda item: item[1])
    whole = sum(evidence.unanswered.values())
    yield (
        f"{of(count, 'publication')} on {replica} {'was' if count == 1 else 'were'} not answered to the end, though "
        f"the publisher stayed connected: nobody knows what became of {'it' if count == 1 else 'them'}"
        f"{f'; {whole:,} over all replicas' if whole > count else ''}."
    )


def _amount(cell: Cell) -> int:
    return cell.count.lost + cell.count.doubled + cell.count.disordered


def _worst(cell: Cell, whole: Count, cells: int) -> str:
    count = cell.count
    parts = [
        f"{many:,} {what}"
        for many, what in ((count.lost, "lost"), (count.doubled, "doubled"), (count.disordered, "out of order"))
        if many
    ]
    rest = (
        f" Over all {cells} cells with faults: {whole.lost:,} lost, {whole.doubled:,} doubled, "
        f"{whole.disordered:,} out of order."
        if cells > 1
        else ""
    )
    return f"of {count.expected:,} deliveries from {cell.publisher} to {cell.receiver}: {' and '.join(parts)}.{rest}"


def _soft(evidence: Evidence, terms: Terms) -> Iterator[str]:
    if evidence.delivered and evidence.delivered.p99 > terms.p99:
        slow = max((cell for cell in evidence.cells if cell.latency), key=lambda each: each.latency.p99)  # type: ignore[union-attr]
        assert slow.latency is not None  # noqa: S101 - only those were compared
        yield (
            f"99 % of the deliveries took up to {evidence.delivered.p99:,.0f} ms{_calm(evidence)}, more than "
            f"the limit of {terms.p99:,.0f} ms; slowest from {slow.publisher} to {slow.receiver} "
            f"({slow.latency.p99:,.0f} ms)."
        )
    if evidence.gone and terms.server_answers:
        yield f"{evidence.gone:,} of {evidence.clients:,} clients could not come back, though the server answers."
    missing = terms.replicas - len(evidence.replicas)
    if missing > 0 and evidence.connects >= ENOUGH_CONNECTS * terms.replicas:
        yield (
            f"only {len(evidence.replicas)} of {terms.replicas} replicas took any of {evidence.connects:,} connections "
            f"({', '.join(evidence.replicas)})."
        )


# -- what makes the test invalid ------------------------------------------------------------------------------


def _invalid(evidence: Evidence, terms: Terms) -> Iterator[str]:
    yield from terms.troubles
    if not evidence.clients:
        if not terms.troubles:
            yield "there was no user: start some (--users 100)."
        return
    if not terms.server_answers:
        yield f"the server is gone: {evidence.gone:,} of {evidence.clients:,} clients could not come back."
    for sentence, count in sorted(evidence.refusals.items(), key=lambda item: -item[1])[:SHOWN_REFUSALS]:
        if not evidence.connects or not evidence.acknowledged:
            yield f"{sentence} ({count:,} times)"
    for sentence, count in evidence.barred.items():
        yield f"{sentence} ({count:,} clients). Leave this class out (--exclude-tags), or name another kind of group."
    if not evidence.publications:
        yield "nothing was published: the run ended before its clients were in their groups, or --rate is too low."
    elif not evidence.acknowledged:
        yield (
            f"none of {evidence.publications:,} publications was acknowledged (to a plain client: came back to it as "
            "its own publication)."
        )
    else:
        yield from _thin(evidence, terms)
    yield from _disturbed(evidence, terms)


def _disturbed(evidence: Evidence, terms: Terms) -> Iterator[str]:
    """Tell what makes figures void."""
    for name in evidence.silent:
        yield f"the load generator {name} stopped publishing by a fault of its own, which it has written to its log."
    is_late = evidence.delivered is not None and evidence.delivered.p99 > terms.p99
    for worker in evidence.workers:
        if worker.cpu > CPU_LIMIT:
            yield (
                f"the load generator {worker.name} was busy for {worker.cpu:.0%} of a core, more than {CPU_LIMIT:.0%}: "
                "its own queue was measured. Use more processes (--processes), or fewer users."
            )
        elif is_late and worker.cpu_peak > CPU_LIMIT:
            yield (
                f"the load generator {worker.name} was busy for {worker.cpu_peak:.0%} of a core in its busiest five "
                "seconds: what was late may have waited there. Use more processes (--processes), or fewer users."
            )
    if evidence.early > EARLY_SHARE * evidence.deliveries:
        yield (
            f"{evidence.early:,} deliveries arrived before they were sent: the clocks of the workers differ from "
            "what they were at the start."
        )
    for event in evidence.events:
        if event.failed:
            yield f"{event.name} could not be done: {event.detail}"


def _thin(evidence: Evidence, terms: Terms) -> Iterator[str]:
    """Tell cells in which nothing could arrive."""
    missing = terms.replicas - len(evidence.replicas)
    if missing > 0 and evidence.connects < ENOUGH_CONNECTS * terms.replicas:
        yield (
            f"only {len(evidence.replicas)} of {terms.replicas} replicas took one of {evidence.connects:,} connections:"
            " use more users."
        )
    empty = [cell for cell in evidence.cells if not cell.count.expected]
    if empty and not terms.changing:
        named = ", ".join(f"{cell.publisher} to {cell.receiver}" for cell in empty[:SHOWN_REFUSALS])
        yield (
            f"{len(empty)} of {len(evidence.cells)} cells are empty because nobody was there to publish or to hear "
            f"({named}): use more users, fewer rooms or a longer run."
        )
