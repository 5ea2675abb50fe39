"""What a stream in a real Redis holds."""

from fanout.history import History
from fanout.layers import streams
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


async def test_what_waits_for_the_archive_is_kept_in_spite_of_its_bytes(redis_server, redis_layer, monkeypatch):
    """Up to a bound of its own; what is in the archive goes at once."""
    monkeypatch.setattr(streams, "BACKLOG_BYTES", 10_500)
    layer, history = redis_layer(redis_server), History(bytes=3_500, archived=True)
    for _ in range(8):
        at = await layer.append("kept.a", b"1" * 1000, history)
    assert await offsets(layer, at) == [1, 2, 3, 4, 5, 6, 7, 8]
    await layer.archived("kept.a", Position(at.epoch, 4), history)
    assert await offsets(layer, at) == [5, 6, 7, 8]
    for _ in range(7):
        at = await layer.append("kept.a", b"1" * 1000, history)
    assert await offsets(layer, at) == list(range(6, 16))
    await layer.archived("kept.a", at, history)
    assert await offsets(layer, at) == [13, 14, 15]


async def test_what_an_older_replica_appended_is_not_counted_and_goes_with_the_others(redis_server, redis_layer):
    """During a deploy both append to the same stream, and nothing is left over."""
    layer, history = redis_layer(redis_server), History(bytes=3_500)
    at = await layer.append("kept.a", b"1" * 1000, history)
    stream, meta = (f"{layer.prefix}__{kind}__{{kept.a}}" for kind in ("stream", "meta"))
    ((_, old),) = redis_server.cli.xrange(stream)
    for number in (2, 3, 4):
        redis_server.cli.xadd(stream, old, id=f"{number}-0")
    redis_server.cli.hset(meta, "offset", 4)
    for _ in range(5):
        at = await layer.append("kept.a", b"1" * 1000, history)
    assert await offsets(layer, at) == [7, 8, 9]


async def test_small_publications_are_trimmed_by_bytes_some_at_once(redis_server, redis_layer):
    """No more than the bytes are kept, and a sixteenth less at most; of where to cut a bounded number is noted."""
    layer, history, size = redis_layer(redis_server), History(bytes=10_000), len("[1]") + 12
    for number in range(2000):
        at = await layer.append("kept.a", b"[1]", history)
        if number % 100 == 99:
            kept = redis_server.cli.xlen(f"{layer.prefix}__stream__{{kept.a}}") * size
            assert kept <= 10_000
            assert kept >= min(10_000 * 15 / 16, (number + 1) * size)
    meta = redis_server.cli.hgetall(f"{layer.prefix}__meta__{{kept.a}}")
    assert int(meta[b"bytes"]) == at.offset * size
    assert meta[b"marks"].count(b",") <= 33


async def offsets(layer, newest):
    """Return the offsets of what is kept."""
    read = await layer.read("kept.a", Position(newest.epoch, 0), newest.offset)
    return [each.position.offset for each in read]


async def test_who_looks_does_not_shorten_what_is_remembered(redis_server, redis_layer):
    """A history kept for longer than a week keeps its epoch as long, whoever asks for its position or reads it."""
    layer, days = redis_layer(redis_server), 24 * 3600
    position = await layer.append("kept.a", b"1", History(size=1000, age=30 * days))
    assert (await layer.top("kept.a")).position == position
    assert len(await layer.read("kept.a", Position(position.epoch, 0), 1)) == 1
    assert redis_server.cli.ttl(f"{layer.prefix}__meta__{{kept.a}}") > 29 * days


async def test_a_redis_that_forgets_its_scripts_is_told_them_again(redis_layer, own_redis):
    """SCRIPT FLUSH is noticed by nobody: every script goes on in the call that misses it, and positions with it."""
    layer = redis_layer(own_redis)
    first = await layer.append("kept.a", b"1", HISTORY)
    for offset in (2, 3):
        own_redis.cli.script_flush()
        assert await layer.append("kept.a", b"1", HISTORY) == Position(first.epoch, offset)
        own_redis.cli.script_flush()
        assert (await layer.top("kept.a")).position.offset == offset
        own_redis.cli.script_flush()
        assert len(await layer.read("kept.a", Position(first.epoch, 0), offset)) == offset


async def test_a_prefix_may_hold_what_means_something_in_patterns(redis_server, redis_layer):
    """The groups of one prefix only, whatever characters it has; a group that is gone meanwhile is left out."""
    for prefix in ("a*b", "a[b]c", "a?\\b", "axb", "a{b}"):
        layer = redis_layer(hosts=[redis_server.operators_url], prefix=prefix)
        await layer.append("kept.a", prefix.encode(), HISTORY)
    for prefix in ("a*b", "a[b]c", "a?\\b", "a{b}"):
        layer = redis_layer(hosts=[redis_server.operators_url], prefix=prefix)
        assert set(await layer.tops("kept")) == {"kept.a"}
    for key in redis_server.cli.scan_iter("a*kept.a*"):
        redis_server.cli.delete(key)
    assert await redis_layer(redis_server, prefix="a*b").tops("kept") == {}
