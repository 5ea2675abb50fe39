"""One replica of a fleet of two versions: run with whichever `fanout` is on the path, driven by lines on standard input.

    python side_by_side.py <redis url> <prefix> <own name> <publications>

It subscribes, says `ready`, publishes when it reads a line, and in the end prints what it heard and what it read.
"""

import asyncio
import json
import sys

from fanout.history import History
from fanout.layers import RedisChannelLayer
from fanout.positions import Position

DURABLE, EPHEMERAL = "mixed.durable", "mixed.ephemeral"
NAMES = ("old", "new")


async def main(url, prefix, name, count):
    layer = RedisChannelLayer(hosts=[url], prefix=prefix)
    durable, ephemeral, ended = [], [], asyncio.Event()

    def hear(publication):
        data = json.loads(publication.data)
        durable.append([publication.position.epoch, publication.position.offset, data])
        if {"end old", "end new"} <= {each[2] for each in durable if isinstance(each[2], str)}:
            ended.set()

    await layer.subscribe(EPHEMERAL, lambda publication: ephemeral.append(json.loads(publication.data)))
    await layer.subscribe(DURABLE, hear)
    channel = await layer.new_channel()
    await layer.group_add(EPHEMERAL, channel)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for number in range(count):
        await layer.append(DURABLE, json.dumps([name, number]).encode(), History(), f"{name}-{number}")
        await layer.append(DURABLE, json.dumps(["both", number]).encode(), History(), f"both-{number}")
        await layer.publish(EPHEMERAL, json.dumps([name, number]).encode())
        await layer.group_send(EPHEMERAL, {"type": "mixed.event", "from": name, "number": number})
    await layer.append(DURABLE, json.dumps(f"end {name}").encode(), History())
    async with asyncio.timeout(30):
        await ended.wait()
    top = (await layer.top(DURABLE)).position
    read = []
    while len(read) < top.offset:  # a newer replica reads in portions
        read += await layer.read(DURABLE, Position(top.epoch, len(read)), top.offset)
    events = [await layer.receive(channel) for _ in range(2 * len(NAMES) * count)]
    print(
        json.dumps({
            "durable": durable,
            "read": [[top.epoch, each.position.offset, json.loads(each.data)] for each in read],
            "ephemeral": ephemeral,
            "events": events,
        }),
        flush=True,
    )
    await layer.flush()


asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
