"""Streams: read in portions, bounded in bytes, found by their kind."""

import pytest

from fanout.history import READ_BYTES, History
from fanout.positions import Position
from tests.fanout.layers.contract.events import GROUPS


class TestReads:
    """A stream is read in portions."""

    @pytest.mark.parametrize(
        ("size", "count", "portions"),
        [(1, 600, [256, 256, 88]), (100_000, 5, [2, 2, 1]), (READ_BYTES + 1, 3, [1, 1, 1])],
        ids=["many", "large", "larger than a portion"],
    )
    async def test_a_read_is_bounded(self, layer, other, size, count, portions):
        """It returns the first publications, as many as bytes and number allow, at least one; all come by and by."""
        for _ in range(count):
            position = await layer.append(GROUPS[0], b"1" * size, History())
        read, got = [], []
        while len(got) < count:
            part = await other.read(GROUPS[0], Position(position.epoch, len(got)), count)
            read.append(len(part))
            got += part
        assert read == portions
        assert [each.position.offset for each in got] == list(range(1, count + 1))
        assert await other.read(GROUPS[0], position, count + 100) == []

    async def test_a_read_ends_where_it_is_asked_to(self, layer, other):
        """Nothing behind `through`, and nothing before `after`."""
        for _ in range(40):
            position = await layer.append(GROUPS[0], b"1", History(size=30))
        read = await other.read(GROUPS[0], Position(position.epoch, 20), 25)
        assert [each.position.offset for each in read] == [21, 22, 23, 24, 25]
        read = await other.read(GROUPS[0], Position(position.epoch, 0), 12)
        assert [each.position.offset for each in read] == [11, 12]


class TestBytes:
    """A stream keeps so many bytes, beside so many publications."""

    async def test_the_oldest_go_until_the_rest_fits(self, layer, other):
        """One at a time, many for a large one; the newest stays, whatever its size."""
        history, kept = History(bytes=10_500), []
        for size in [1000] * 20 + [4000, 20_000, 100]:
            at = await layer.append(GROUPS[0], b"1" * size, history)
            read = await other.read(GROUPS[0], Position(at.epoch, 0), at.offset)
            kept.append((read[0].position.offset, read[-1].position.offset, len(read)))
        assert kept[:10] == [(1, number, number) for number in range(1, 11)]
        assert kept[10:20] == [(number - 9, number, 10) for number in range(11, 21)]
        assert kept[20:] == [(15, 21, 7), (22, 22, 1), (23, 23, 1)]

    async def test_without_a_bound_all_stay(self, layer, other):
        """0 is none."""
        for _ in range(5):
            at = await layer.append(GROUPS[0], b"1" * 1000, History(bytes=0))
        assert len(await other.read(GROUPS[0], Position(at.epoch, 0), 5)) == 5


class TestTops:
    """Who goes through all durable groups of a kind."""

    async def test_each_group_of_the_kind_is_there_with_its_newest_position(self, layer, other):
        """All of them, on whatever host, with the position of the last publication; those of other kinds are not."""
        positions = {}
        for group in GROUPS:
            await layer.append(group, b"1", History())
            positions[group] = await layer.append(group, b"2", History())
        for group in ("chat2.room", "chats.room", "other.chat.room", "ch.a"):
            await layer.append(group, b"1", History())
        await layer.publish("chat.ephemeral", b"1")
        tops = await other.tops("chat")
        assert {group: top.position for group, top in tops.items()} == positions
        assert tops == {group: await other.top(group) for group in GROUPS}
        assert set(await other.tops("ch")) == {"ch.a"}
        assert await other.tops("nobody") == {}

    async def test_there_may_be_many(self, layer, other):
        """More than one step of a scan brings."""
        for number in range(700):
            await layer.append(f"many.{number}", b"1", History(), key="k")
        assert len(await other.tops("many")) == 700
