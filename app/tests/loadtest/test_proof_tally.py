"""What each receiver must have got, and what of it was wrong."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.judgement.ledger import STRANGER, Sighting
from proof.judgement.result import Verdict
from proof.judgement.verdict import conclude
from tests.loadtest.worlds import GROUP, TERMS, World, cells, whole

REPLICAS = ("web-1", "web-2", "web-3")


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_every_count_is_what_a_look_at_each_message_finds(seed, workers):
    """Lost, doubled and disordered, for each cell, however many processes the clients are spread over."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    world = a_stream(rng, workers)
    truth = {}
    for _ in range(rng.randint(1, 6)):
        look_at_each(world, truth, **a_reader(rng, world))
    outcome = conclude(world.ledgers, TERMS)
    seen = set().union(*({s.offset for s in ledger.sightings.get(GROUP, [])} for ledger in world.ledgers))
    unknown = {offset for offset in world.made if offset not in seen and not is_acknowledged(world, offset)}
    for key, count in cells(outcome).items():
        mine = [each for (publisher, receiver, offset), each in truth.items()
                if (publisher, receiver) == key and offset not in unknown]  # fmt: skip
        for what in ("expected", "lost", "doubled", "disordered"):
            assert getattr(count, what) == sum(each[what] for each in mine)
        assert count.received == count.expected - count.lost
    wrong = sum(each["lost"] + each["doubled"] + each["disordered"] for each in truth.values())
    assert (outcome.verdict is Verdict.BROKEN) == bool(wrong)


def a_stream(rng, workers):
    """A world in which some replicas have spoken, most of them heard."""
    publishers = [rng.choice(REPLICAS) for _ in range(rng.randint(1, 4))]
    world = World(publishers, workers=workers)
    for _ in range(rng.randint(1, 40)):
        world.publish(rng.randrange(len(publishers)), acknowledged=rng.random() < 0.9)
    return world


def a_reader(rng, world):
    """A receiver to which messages come lost, doubled or out of order; return what look_at_each wants of it."""
    replica, behind = rng.choice(REPLICAS), rng.randint(0, len(world.made))
    arrivals = [offset for offset in sorted(world.made) if offset > behind and rng.random() > 0.1]
    arrivals += [offset for offset in arrivals if rng.random() < 0.05]
    if rng.random() < 0.3:
        rng.shuffle(arrivals)
    present = rng.random() < 0.8
    world.receive(replica, arrivals, behind, present=present)
    acknowledged = [offset for offset in world.made if present and is_acknowledged(world, offset)]
    return {"replica": replica, "behind": behind, "arrivals": arrivals, "acknowledged": max(acknowledged, default=0)}


def is_acknowledged(world, offset):
    """Whether the publisher was told of this offset."""
    number, seq = world.made[offset]
    return world.publishers[number].offsets[seq - 1] > 0


def look_at_each(world, truth, *, replica, behind, arrivals, acknowledged):
    """Add what each message of the stream came to at one receiver."""
    for offset, (number, _) in world.made.items():
        if not behind < offset <= max(acknowledged, *arrivals, 0):
            continue
        first = arrivals.index(offset) if offset in arrivals else None
        counts = truth.setdefault((world.replicas[number], replica, offset), Counter())
        counts["expected"] += 1
        counts["lost"] += first is None
        counts["doubled"] += max(0, arrivals.count(offset) - 1)
        counts["disordered"] += first is not None and any(before > offset for before in arrivals[:first])


def test_a_replica_that_hears_nothing_is_named_first():
    """An empty cell is worse than some losses, and the sentence says who is deaf to whom."""
    world = whole()
    deaf = [offset for offset, (number, _) in world.made.items() if number == 1]
    world.receive("web-1", [offset for offset in sorted(world.made) if offset != 3])
    world.receive("web-3", deaf)
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert outcome.sentence == "Of 20 deliveries from web-1 to web-3 none arrived: web-3 hears nothing of web-1."
    assert any("from web-1 to web-1: 1 lost" in reason for reason in outcome.reasons)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda offsets: offsets[:5] + offsets[6:], "1 lost"),
        (lambda offsets: [*offsets, offsets[5]], "1 doubled"),
        (lambda offsets: [*offsets[:5], offsets[6], offsets[5], *offsets[7:]], "1 out of order"),
        (lambda offsets: offsets[:-1], "1 lost"),
    ],
    ids=["lost", "doubled", "swapped", "lost at the end"],
)
def test_one_wrong_message_breaks_the_proof(change, told):
    """Among thousands it is counted, in its cell and pair, with the first thing that went wrong."""
    world = whole(publications=60)
    world.receive("web-2", change(sorted(world.made)))
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert told in outcome.sentence
    [pair] = outcome.pairs
    assert (pair.receiver_replica, pair.group) == ("web-2", GROUP)
    assert pair.count.expected == 30
    assert pair.first.startswith("offset ")


def test_what_nobody_acknowledged_and_nobody_got_is_not_lost():
    """A publication without an answer may never have been made."""
    world = whole()
    world.publishers[0].add(10**9, "web-1")
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.PROVED
    assert outcome.sentence.startswith("40 publications (1 more were not acknowledged), from each")


def test_what_was_under_way_when_the_connection_was_lost_is_not_lost():
    """Nobody can tell whether the server had it; what was answered stays answered."""
    world = whole()
    world.listen("web-2", [], joined=40).name = world.publishers[1].name
    publisher = world.publishers[1]
    publisher.add(10**9, "web-2")
    publisher.cut(3)
    assert publisher.pending == 0
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED


def test_a_hole_is_a_loss_though_nobody_knows_whose():
    """Offsets have no holes: what stood there was in the stream, acknowledged or not."""
    world = World(["web-1"])
    for number in range(10):
        world.publish(0, acknowledged=number != 4)
    world.receive("web-1", [offset for offset in world.made if offset != 5])
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert "1 more deliveries are lost, of publications that nobody received" in outcome.sentence


def test_who_leaves_early_is_judged_up_to_there():
    """A user that Locust stops takes no part in what is published later."""
    world = whole()
    world.receive("web-1", range(1, 11), present=False)
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED


def test_a_publication_that_stands_twice_in_the_stream_is_a_double():
    """Each receiver got it a second time, though every offset came once."""
    world = World(["web-1"])
    for _ in range(5):
        world.publish(0)
    world.made[6] = world.made[2]
    world.receive("web-1", range(1, 7))
    outcome = conclude(world.ledgers, TERMS)
    assert "1 doubled" in outcome.sentence


def test_publications_in_another_order_than_they_were_made_break_the_proof():
    """The order of one publisher is part of what is proved, also where all receivers agree."""
    world = World(["web-1"])
    for _ in range(5):
        world.publish(0)
    publisher = world.publishers[0]
    publisher.offsets[1], publisher.offsets[2] = publisher.offsets[2], publisher.offsets[1]
    world.made[2], world.made[3] = world.made[3], world.made[2]
    world.receive("web-1", range(1, 6))
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert any("another order" in reason for reason in outcome.reasons)


def test_a_stranger_may_talk_in_between():
    """What an own consumer adds to a group has offsets, too."""
    world = whole()
    world.made[41] = world.made[40]
    for _ in range(2):
        world.receive("web-1", range(1, 41)).take(41)
    world.ledgers[0].sightings[GROUP].append(Sighting(41, STRANGER, 0))
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED


def test_what_comes_to_a_client_of_another_group_breaks_the_proof():
    """One that knows the group of a publication counts, of the others the publishers tell."""
    world = whole()
    world.ledgers[0].astray = 3
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.sentence == "3 deliveries went to clients that are not in the publication's group."
    world = whole()
    world.listen("web-1", [3, 5]).group = "chat.other"
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.sentence == "2 deliveries went to clients that are not in the publication's group."


def test_replicas_that_share_no_epoch_share_no_stream():
    """With a Redis each, the same offsets name other publications: both cells between the two are empty."""
    one, other = World(["web-1"]), World(["web-2"])
    other.publishers[0].name = "1.p"
    for world, replica, epoch in ((one, "web-1", "e"), (other, "web-2", "f")):
        for _ in range(10):
            world.publish(0)
        world.receive(replica, range(1, 11), epoch=epoch)
    outcome = conclude([*one.ledgers, *other.ledgers], TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert {cell: (count.received, count.lost) for cell, count in cells(outcome).items()} == {
        ("web-1", "web-1"): (10, 0), ("web-1", "web-2"): (0, 10),
        ("web-2", "web-1"): (0, 10), ("web-2", "web-2"): (10, 0),
    }  # fmt: skip
    assert "do they share one Redis?" in outcome.pairs[0].first


@pytest.mark.parametrize("before", ["0", "e"])
def test_an_epoch_that_changes_is_the_same_stream(before):
    """Who joined a group before its first publication, or before a failover, has what came later in common."""
    world = World(["web-1", "web-2"])
    for number in range(10):
        world.publish(number % 2)
    world.receive("web-1", range(1, 11), epoch=before).enter("f")
    world.receive("web-2", range(1, 11), epoch="f")
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED


# -- clients without offsets ----------------------------------------------------------------------------------


def test_a_plain_client_has_to_get_what_is_sent_while_it_listens():
    """What was sent before it came is not expected of it, one that is missing later is."""
    world = whole()
    world.listen("web-2", range(11, 41), joined=10)
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED
    world.listen("web-2", [offset for offset in range(11, 41) if offset != 20], joined=10)
    world.listen("web-2", range(12, 41), joined=10)
    world.listen("web-2", range(11, 40), joined=10)
    outcome = conclude(world.ledgers, TERMS)
    assert sum(count.lost for count in cells(outcome).values()) == 3


def test_what_a_plain_client_misses_while_it_reconnects_is_counted_apart():
    """It does not break the proof; the kind says how much it was, and why."""
    world = whole()
    receiver = world.listen("web-1", range(1, 16), left=16)
    receiver.connections += world.listen("web-2", range(21, 41), joined=20).connections
    receiver.is_connected = True
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.PROVED
    [kind] = [kind for kind in outcome.kinds if kind.name == "PlainUser"]
    assert "5 publications were made while one of these clients was reconnecting" in kind.note


def test_of_latest_values_the_last_one_has_to_be_there():
    """Older ones may be superseded."""
    world = whole()
    world.listen("web-1", [3, 4, 39, 40], kind="DashboardUser", latest=True)
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED
    world.listen("web-2", [3, 4, 40], kind="DashboardUser", latest=True)
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert "from web-1 to web-2: 1 lost" in outcome.sentence
