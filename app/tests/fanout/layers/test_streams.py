"""What a stream in a real Redis holds."""

from fanout.history import History
from fanout.positions import Position

HISTORY = History(size=1000, age=3600)
AT_ONCE = 10
"""Entries past their age that one append removes."""


async def test_what_is_past_its_age_goes_and_nothing_younger(redis_server, redis_layer):
    """An append removes the oldest entries past the history's age, ten at most, up to the first younger one."""
    layer = redis_layer(redis_server)
    await layer.append("kept.a", b"1", HISTORY)
    stream, cli = f"{layer.prefix}__stream__{{kept.a}}", redis_server.cli
    young = cli.xrange(stream)[0][1]
    cli.delete(stream)
    for number in range(AT_ONCE + 2):
        cli.xadd(stream, {"t": "0", "b": "old"}, id=f"0-{number + 1}")
    cli.xadd(stream, young, id="1-0")
    cli.xadd(stream, {"t": "0", "b": "behind a younger one"}, id="1-1")
    left = []
    for number in range(3):
        await layer.append("kept.a", b"%d" % number, HISTORY)
        left.append([name.decode() for name, _ in cli.xrange(stream)])
    kept = ["1-0", "1-1", "2-0"]
    assert left == [["0-11", "0-12", *kept], [*kept, "3-0"], [*kept, "3-0", "4-0"]]


async def test_who_looks_does_not_shorten_what_is_remembered(redis_server, redis_layer):
    """A history kept for longer than a week keeps its epoch as long, whoever asks for its position or reads it."""
    layer, days = redis_layer(redis_server), 24 * 3600
    position = await layer.append("kept.a", b"1", History(size=1000, age=30 * days))
    assert (await layer.top("kept.a")).position == position
    assert len(await layer.read("kept.a", Position(position.epoch, 0), 1)) == 1
    assert redis_server.cli.ttl(f"{layer.prefix}__meta__{{kept.a}}") > 29 * days
