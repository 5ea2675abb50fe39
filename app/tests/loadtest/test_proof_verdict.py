from dataclasses import replace

import pytest

from proof.judgement.ledger import STRANGER, Sighting, pack, unpack
from proof.judgement.result import Event, Verdict
from proof.judgement.terms import Terms
from proof.judgement.verdict import conclude
from tests.loadtest.worlds import GROUP, KIND, TERMS, World, cells, whole


def test_a_run_in_which_everything_arrives_is_proved():
    """Each cell has what all receivers of a replica had to get of another."""
    outcome = conclude(whole(publications=40).ledgers, TERMS)
    assert outcome.verdict is Verdict.PROVED
    assert outcome.reasons == []
    assert [count.expected for count in cells(outcome).values()] == [40, 40, 40, 40]
    assert "160 deliveries" in outcome.sentence
    assert outcome.seconds == pytest.approx(3.9)


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


def test_a_reset_breaks_the_proof():
    """Nothing that the proof does loses publications, so nobody should be told that some are lost."""
    world = whole()
    world.receive("web-1", sorted(world.made)).resets.append("trimmed")
    outcome = conclude(world.ledgers, TERMS)
    assert outcome.sentence == "1 client was told `reset` (trimmed), though nothing was done that loses publications."


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
