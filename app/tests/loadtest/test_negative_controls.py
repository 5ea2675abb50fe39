"""The proof on stacks that are broken from outside: it fails for its reason, and where the layer heals it passes."""

import asyncio
import re

import pytest

from proof.faults.lane import Faults
from proof.faults.proxy import SPEAKS
from proof.judgement.result import Verdict
from tests.loadtest.stacks import Forger, Watched, a_stack
from tests.replicas import folder, start  # noqa: F401  # fixtures

pytestmark = pytest.mark.cluster

FRAMES = b'"publication"'
MESSAGES = b"chat.proof-"
TO_WEB_2 = {("web-1", "web-2"), ("web-2", "web-2")}


def is_broken(run, kind):
    """Whether a run came out broken, for one kind of fault, which its sentence names with a cell of web-2's clients."""
    assert run.code == 1, run.shown
    assert run.result.verdict == Verdict.BROKEN
    assert set(run.wrong) <= TO_WEB_2
    assert run.wrong
    assert run.result.sentence in run.shown
    assert kind in run.result.sentence
    assert re.search(r"from web-[12] to web-2", run.result.sentence), run.result.sentence
    return True


@pytest.mark.parametrize(
    ("fault", "told"),
    [("drop", ("lost", "lost")), ("double", ("doubled", "doubled")), ("swap", ("disordered", "out of order"))],
)
async def test_one_frame_in_a_thousand_is_noticed(folder, start, own_redis, fault, told):  # noqa: F811
    """What is dropped, doubled or swapped between a replica and its clients breaks the proof, and nothing else does."""
    field, words = told
    faults = Faults(**{fault: 1000}, holding=FRAMES)
    async with a_stack(folder, start, own_redis, clients=faults) as (stack, _):
        run = await stack.prove()
    happened = faults.dropped + faults.doubled + faults.swapped
    assert happened >= 1
    assert is_broken(run, words)
    assert sum(getattr(count, field) for count in run.wrong.values()) == happened
    others = {"lost", "doubled", "disordered"} - {field}
    assert not any(getattr(count, name) for count in run.wrong.values() for name in others)


@pytest.mark.parametrize(
    "forgery",
    [
        ((b'xx."', b'xy."'), r"At \d+ offsets something else was delivered than was published there"),
        ((b'-big"', b'-bug"'), r"\d+ deliveries went to clients that are not in the publication's group"),
    ],
    ids=["text", "group"],
)
async def test_a_forged_publication_is_noticed(folder, start, own_redis, monkeypatch, forgery):  # noqa: F811
    """It came once and in its order, and is not what was published, or not for this group."""
    change, told = forgery
    forger = type("Forging", (Forger,), {"change": change})
    monkeypatch.setitem(SPEAKS, "forged", forger)
    async with a_stack(folder, start, own_redis, speaks="forged") as (stack, _):
        run = await stack.prove("BigRoomUser")
    assert forger.met > 10 * forger.EVERY
    assert run.code == 1, run.shown
    assert any(re.search(told, reason) for reason in run.result.reasons), run.result.reasons


async def test_a_replica_that_is_cut_from_redis_is_noticed(folder, start, own_redis):  # noqa: F811
    """From the cut on its clients hear nothing: the proof is broken in that replica's column."""
    faults = Watched(20, holding=MESSAGES)
    async with a_stack(folder, start, own_redis, behind=faults) as (stack, redis_proxy):
        running = asyncio.create_task(stack.prove("--settle", "3", "BigRoomUser"))
        await asyncio.wait([running, watching := asyncio.create_task(faults.reached.wait())],
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        watching.cancel()
        redis_proxy.cut()
        run = await running
    assert is_broken(run, "lost")
    assert run.wrong["web-1", "web-2"].lost > 50


async def test_two_replicas_on_two_servers_of_redis_are_noticed(
    folder, start, own_redis, second_redis_server,  # noqa: F811
):  # fmt: skip
    """Neither hears the other: both cells between them are empty, and the sentence names one of them."""
    async with a_stack(folder, start, own_redis, redis_url=second_redis_server.url) as (stack, _):
        run = await stack.prove("--settle", "3", "BigRoomUser")
    assert run.code == 1, run.shown
    assert run.result.verdict == Verdict.BROKEN
    cells = {(cell.publisher, cell.receiver): cell.count for cell in run.result.cells}
    for cell in (("web-1", "web-2"), ("web-2", "web-1")):
        assert cells[cell].received == 0
        assert cells[cell].lost == cells[cell].expected > 0
    for cell in (("web-1", "web-1"), ("web-2", "web-2")):
        assert cells[cell].received == cells[cell].expected > 0
    assert re.search(r"from web-(1 to web-2|2 to web-1) none arrived", run.result.sentence), run.result.sentence
    assert run.result.sentence in run.shown


@pytest.mark.parametrize(("fault", "has_gaps"), [("drop", True), ("double", False), ("swap", True)])
async def test_what_breaks_between_redis_and_a_replica_is_healed(
    folder, start, own_redis, fault, has_gaps,  # noqa: F811
):  # fmt: skip
    """The layer fills what is dropped and sorts out what is doubled or swapped: the proof passes and tells the gaps."""
    faults = Faults(**{fault: 10}, holding=MESSAGES)
    async with a_stack(folder, start, own_redis, behind=faults) as (stack, _):
        run = await stack.prove()
    happened = faults.dropped + faults.doubled + faults.swapped
    assert happened >= 5
    assert run.code == 0, run.shown
    assert run.wrong == {}
    assert re.search(rf"^gaps +{run.result.gaps} publications? missed live", run.shown, re.MULTILINE), run.shown
    assert (run.result.gaps > 0) is has_gaps
