import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.ledger import STRANGER, Sighting, pack, unpack
from proof.result import Event, Verdict
from proof.verdict import Terms, conclude
from tests.loadtest.worlds import GROUP, KIND, World, whole

TERMS = Terms(p99=500)
REPLICAS = ("web-1", "web-2", "web-3")


def cells(outcome):
    """Counts by publisher's and receiver's replica."""
    return {(cell.publisher, cell.receiver): cell.count for cell in outcome.cells}


def test_a_run_in_which_everything_arrives_is_proved():
    """Each cell has what all receivers of a replica had to get of another."""
    outcome = conclude(whole(publications=40).ledgers, TERMS)
    assert outcome.verdict is Verdict.PROVED
    assert outcome.reasons == []
    assert [count.expected for count in cells(outcome).values()] == [40, 40, 40, 40]
    assert "160 deliveries" in outcome.sentence
    assert outcome.seconds == pytest.approx(3.9)


@given(st.data())
def test_every_count_is_what_a_look_at_each_message_finds(data):
    """Lost, doubled and disordered, for each cell, however many processes the clients are spread over."""
    draw = data.draw
    seed = draw(st.integers(0, 2**32))
    rng = random.Random(seed)  # noqa: S311 - no secret
    publishers = [rng.choice(REPLICAS) for _ in range(rng.randint(1, 4))]
    world = World(publishers, workers=draw(st.integers(1, 3)))
    for _ in range(rng.randint(1, 40)):
        world.publish(rng.randrange(len(publishers)), acknowledged=rng.random() < 0.9)
    acknowledged = max(
        (offset for offset, (number, seq) in world.made.items() if world.publishers[number].offsets[seq - 1] > 0),
        default=0,
    )
    truth = {}
    for _ in range(rng.randint(1, 6)):
        replica, behind = rng.choice(REPLICAS), rng.randint(0, len(world.made))
        arrivals = [offset for offset in sorted(world.made) if offset > behind and rng.random() > 0.1]
        arrivals += [offset for offset in arrivals if rng.random() < 0.05]
        if rng.random() < 0.3:
            rng.shuffle(arrivals)
        present = rng.random() < 0.8
        world.receive(replica, arrivals, behind, present=present)
        look_at_each(
            world, truth, replica=replica, behind=behind, arrivals=arrivals, acknowledged=present * acknowledged
        )
    outcome = conclude(world.ledgers, TERMS)
    seen = set().union(*({s.offset for s in ledger.sightings.get(GROUP, [])} for ledger in world.ledgers))
    unknown = {offset for offset in world.made if offset not in seen and not is_acknowledged(world, offset)}
    for key, count in cells(outcome).items():
        mine = [each for (publisher, receiver, offset), each in truth.items()
                if (publisher, receiver) == key and offset not in unknown]  # fmt: skip
        assert count.expected == sum(each["expected"] for each in mine)
        assert count.lost == sum(each["lost"] for each in mine)
        assert count.doubled == sum(each["doubled"] for each in mine)
        assert count.disordered == sum(each["disordered"] for each in mine)
        assert count.received == count.expected - count.lost
    wrong = sum(each["lost"] + each["doubled"] + each["disordered"] for each in truth.values())
    assert (outcome.verdict is Verdict.BROKEN) == bool(wrong)


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


def test_a_publication_that_is_not_answered_though_its_publisher_stays_breaks_the_proof():
    """It asked and waited to the end: that nobody got it either is no excuse. The replica is named."""
    world = whole()
    world.listen("web-2", [], joined=40).name = world.publishers[1].name
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED
    world.publishers[1].add(10**9, "web-2")
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert outcome.sentence.startswith(
        "1 publication on web-2 was not answered to the end, though the publisher stayed"
    )


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


def test_another_publication_at_an_acknowledged_offset_breaks_the_proof():
    """What a publisher was told and what receivers got have to agree."""
    world = whole()
    world.ledgers[0].sightings[GROUP].append(Sighting(3, world.publishers[1].name, 9))
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert any(reason.startswith("At 1 offset something else was delivered") for reason in outcome.reasons)


def test_a_changed_text_at_an_acknowledged_offset_breaks_the_proof():
    """The offset came, and what stood there did not."""
    world = whole(workers=2)
    world.ledgers[1].sightings[GROUP].append(Sighting(3, STRANGER, 0))
    world.ledgers[1].sightings[GROUP].append(Sighting(3, STRANGER, 0))
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert outcome.sentence.startswith("At 1 offset something else was delivered")


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


def test_a_reset_breaks_the_proof():
    """Nothing that the proof does loses publications, so nobody should be told that some are lost."""
    world = whole()
    world.receive("web-1", sorted(world.made)).resets.append("trimmed")
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.sentence == "1 client was told `reset` (trimmed), though nothing was done that loses publications."


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


# -- what is not valid ----------------------------------------------------------------------------------------


def test_a_busy_generator_makes_the_test_invalid():
    """Its own queue would have been measured; the sentence names it."""
    world = whole()
    for ledger in world.ledgers:
        for tick in ledger.ticks.values():
            tick.cpu = 0.93
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.INVALID
    assert outcome.sentence.startswith("The load generator worker-0 was busy for 93% of a core")


def test_a_loss_is_a_loss_with_a_busy_generator_too():
    """A late message may be the generator's fault, a missing one is not."""
    world = whole()
    world.receive("web-1", [offset for offset in world.made if offset != 7])
    for tick in world.ledgers[0].ticks.values():
        tick.cpu = 0.93
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.BROKEN
    assert len(outcome.reasons) == 2


def test_late_messages_break_the_proof_unless_the_generator_was_busy():
    """99 % have to arrive within the limit."""
    world = whole()
    outcome = conclude(world.ledgers, Terms(p99=2))
    assert outcome.verdict is Verdict.BROKEN
    assert "more than the limit of 2 ms" in outcome.sentence
    for tick in world.ledgers[0].ticks.values():
        tick.cpu = 0.93
    assert conclude(world.ledgers, Terms(p99=2)).verdict is Verdict.INVALID


def test_late_messages_do_not_break_the_proof_when_the_generator_was_busy_for_some_seconds():
    """What it was too busy to read was late by its fault; with nothing late they do no harm."""
    world = whole(publications=400)
    for second, tick in world.ledgers[0].ticks.items():
        tick.cpu = 0.95 if second >= 1034 else 0.2
    assert conclude(world.ledgers, TERMS).verdict is Verdict.PROVED
    outcome = conclude(world.ledgers, Terms(p99=2))
    assert outcome.verdict is Verdict.INVALID
    assert "in its busiest five seconds" in outcome.sentence


def test_the_limit_holds_while_nothing_is_done_to_the_fleet():
    """Who is cut off comes back a little later; that is not the latency of the stack."""
    events = [Event(0.0, "restart", until=10.0)]
    outcome = conclude(whole().ledgers, Terms(p99=2), events)
    assert outcome.verdict is Verdict.PROVED
    assert outcome.delivered.p99 > 2
    assert "how late is not judged" in outcome.sentence


def test_clocks_that_disagree_are_told_though_the_fleet_was_disturbed_all_the_time():
    """No second was calm, and a third of the deliveries came before they were sent."""
    world = whole()
    world.ledgers[0].early = 50
    outcome = conclude(world.ledgers, TERMS, [Event(0.0, "restart", until=10.0)])
    assert outcome.verdict is Verdict.INVALID
    assert outcome.sentence.startswith("50 deliveries arrived before they were sent")


def test_events_are_told_from_the_first_publication_on():
    """The command line counts from the start of the run, the report's time axis from the first publication."""
    terms = Terms(p99=500, started=995.1)
    [event] = conclude(whole().ledgers, terms, [Event(7.0, "reload", until=8.5)]).events
    assert (event.at, event.until) == (pytest.approx(2.0), pytest.approx(3.5))


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (Terms(p99=500, troubles=("worker-1 is gone.",)), "Worker-1 is gone."),
        (Terms(p99=500, replicas=5), "Only 2 of 5 replicas took one of 20 connections"),
    ],
)
def test_circumstances_make_the_test_invalid(terms, told):
    """A worker that is gone, too few clients: nothing is proved, nothing refuted."""
    outcome = conclude(whole().ledgers, terms)
    assert outcome.verdict is Verdict.INVALID
    assert outcome.sentence.startswith(told)


def test_a_replica_that_took_none_of_many_clients_breaks_the_proof():
    """With ten connections for each replica one that is missing is not there."""
    world = whole()
    world.ledgers[0].kinds[KIND].connects = 100
    outcome = conclude(world.ledgers, Terms(p99=500, replicas=3))
    assert outcome.verdict is Verdict.BROKEN
    assert outcome.sentence.startswith("Only 2 of 3 replicas took any of 100 connections")


def test_a_cell_in_which_nothing_could_arrive_is_not_proved():
    """Nobody on web-3 published: what it says to others is not known."""
    world = whole()
    world.receive("web-3", sorted(world.made))
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.INVALID
    assert "3 of 9 cells are empty because nobody was there" in outcome.sentence


def test_replicas_that_come_and_go_need_not_have_met():
    """The same is proved where the run says that replicas change; a loss is a loss all the same."""
    world = whole()
    world.receive("web-3", sorted(world.made))
    assert conclude(world.ledgers, replace(TERMS, changing=True)).verdict is Verdict.PROVED


def test_a_server_that_is_gone_at_the_end_makes_the_test_invalid():
    """Its clients could not come back, and nobody can say what they would have got."""
    world = whole()
    world.receive("web-1", range(1, 20))
    receiver = world.ledgers[0].receivers[-1]
    receiver.is_connected = False
    outcome = conclude(world.ledgers, Terms(p99=500, server_answers=False))
    assert outcome.verdict is Verdict.INVALID
    assert outcome.sentence.startswith("The server is gone")
    assert conclude(world.ledgers, TERMS).verdict is Verdict.BROKEN


def test_clocks_that_differ_make_the_test_invalid():
    """What arrives before it was sent tells that latencies are not to be believed."""
    world = whole()
    world.ledgers[0].early = 10
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.INVALID
    assert "before they were sent" in outcome.sentence


def test_a_run_without_users_or_publications_proves_nothing():
    """Both are said in a sentence."""
    assert conclude((), TERMS).sentence.startswith("There was no user")
    world = World(["web-1"])
    world.receive("web-1", [])
    assert conclude(world.ledgers, TERMS).sentence.startswith("Nothing was published")


def test_chaos_that_failed_makes_the_test_invalid():
    """What was asked for was not tested."""
    outcome = conclude(whole().ledgers, TERMS, [Event(1.0, "reload", detail="nginx does not answer.", failed=True)])
    assert outcome.verdict is Verdict.INVALID
    assert "reload could not be done" in outcome.sentence.lower()


def test_replicas_are_in_the_order_of_their_numbers():
    """web-10 comes after web-9, and Kubernetes' names keep theirs together."""
    world = World([f"web-{number}" for number in (10, 9, 1)])
    for number in range(3):
        world.publish(number)
    for replica in world.replicas:
        world.receive(replica, [1, 2, 3])
    assert conclude(world.ledgers, TERMS).replicas == ["web-1", "web-9", "web-10"]


def test_a_ledger_comes_whole_from_another_machine():
    """What is packed is unpacked, and gives the same verdict."""
    world = whole(workers=2)
    world.listen("web-1", range(1, 41))
    sent = [unpack(pack(ledger)) for ledger in world.ledgers]
    assert sent == world.ledgers
    assert conclude(sent, TERMS) == conclude(world.ledgers, TERMS)


def test_where_a_long_queue_is_left_that_it_is_late_is_told_first():
    """What is not answered then waits, most likely; that a replica answers nothing is told where nothing is late."""
    world = whole()
    world.listen("web-2", [], joined=40).name = world.publishers[1].name
    world.publishers[1].add(10**9, "web-2")
    outcome = conclude(world.ledgers, Terms(p99=2))
    assert outcome.sentence.startswith("99 % of the deliveries took up to")
    assert "was not answered to the end" in outcome.reasons[1]
    world.ledgers[0].kinds[KIND].connects = 100
    assert "was not answered to the end" in conclude(world.ledgers, TERMS).sentence


def test_a_process_that_stopped_publishing_makes_the_test_invalid():
    """What it would have published was asked for and is not proved."""
    world = whole(workers=2)
    world.ledgers[1].fell_silent = True
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.verdict is Verdict.INVALID
    assert outcome.sentence.startswith("The load generator worker-1 stopped publishing by a fault of its own")


def test_an_address_is_told_as_it_is():
    """A sentence may begin with it."""
    outcome = conclude((), Terms(p99=500, troubles=("http://x closed the connection.",)))
    assert outcome.sentence == "http://x closed the connection."
