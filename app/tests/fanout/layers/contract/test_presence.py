"""What processes say of their members, and which of them live."""

import asyncio

from fanout.presence.view import Part
from tests.fanout.layers.contract.events import GROUPS


def part(process, number, *members):
    return Part(process, number, len(members), {member: {"name": "Ada"} for member in members})


async def test_a_part_is_told_and_kept(layer, other, tools):
    """Whoever is subscribed hears it; whoever comes later reads it; each process has its own."""
    told = tools.Inbox()
    await layer.subscribe(GROUPS[0], tools.Inbox(), told)
    parts = [part("one", 1, "a", "b"), part("two", 2, "c")]
    for each in parts:
        await other.announce(GROUPS[0], each)
    assert [await told.next(), await told.next()] == parts
    assert sorted(await other.presence(GROUPS[0]), key=lambda each: each.process) == parts
    assert await other.presence(GROUPS[1]) == []


async def test_the_newest_part_of_a_process_counts(layer):
    """An older part that comes late changes nothing; the empty one of a process that has left is kept, too."""
    await layer.announce(GROUPS[0], part("one", 5, "a"))
    await layer.announce(GROUPS[0], part("one", 4))
    assert await layer.presence(GROUPS[0]) == [part("one", 5, "a")]
    await layer.announce(GROUPS[0], part("one", 6))
    assert await layer.presence(GROUPS[0]) == [part("one", 6)]


async def test_a_part_of_the_dead_can_be_removed(layer):
    """It is gone, unless the process was alive after all and has announced a newer one."""
    await layer.announce(GROUPS[0], part("one", 5, "a"))
    await layer.announce(GROUPS[0], part("two", 6, "b"))
    await layer.forget(GROUPS[0], part("one", 4, "a"))
    await layer.forget(GROUPS[0], part("two", 6, "b"))
    assert await layer.presence(GROUPS[0]) == [part("one", 5, "a")]


async def test_who_listens_to_publications_only_hears_no_parts(layer, tools):
    """A receiver without `on_part`, and a consumer in the group, get the publication alone."""
    inbox, channel = tools.Inbox(), await layer.new_channel()
    await layer.subscribe(GROUPS[0], inbox)
    await layer.group_add(GROUPS[0], channel)
    await layer.announce(GROUPS[0], part("one", 1, "a"))
    await layer.publish(GROUPS[0], b"1")
    assert await inbox.data() == b"1"
    assert (await tools.receive(layer, channel))["data"] == 1


async def test_who_beats_lives(layer, other):
    """A beat returns every process that beat lately, and none whose last beat is too old."""
    await layer.beat("one", 60)
    assert await other.beat("two", 60) == {"one", "two"}
    await asyncio.sleep(0.05)
    assert await other.beat("two", 0.04) == {"two"}
