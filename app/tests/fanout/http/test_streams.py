"""Streams and polls of a real replica: what a client gets, what a slow one misses, how a drain ends them."""

import asyncio
import contextlib
import json
import re
import signal
import uuid

import httpx

from fanout.http import events as event_stream
from tests.fanout.http.answers import first_events
from tests.fanout.http.conftest import client_of
from tests.fanout.transports import events, post
from tests.replicas import LIMIT


async def test_a_stream_begins_with_a_wait_and_the_join(http, group):
    """Each client's own wait; the join has the position to come back to."""
    retry, joined = await first_events(http, f"/events/{group}", 2)
    assert 500 <= int(retry["retry"]) <= 1500
    frame = json.loads(joined["data"])
    assert (joined["event"], joined["id"]) == ("joined", f"{frame['epoch']}:{frame['offset']}")


async def test_several_groups_come_in_one_stream_and_are_resumed_together(http, group):
    """The id names the place in each; publications of one do not move the other."""
    other = f"{group}.other"
    for text in "ab":
        await post(http, group, {"message": text})
        await post(http, other, {"message": text})
    path = f"/events?group={group}&group={other}&last=1"
    *_, last = await first_events(http, path, 5)
    places = dict(place.split("@") for place in last["id"].split(","))
    assert {name: place.split(":")[1] for name, place in places.items()} == {group: "2", other: "2"}
    await post(http, other, {"message": "c"})
    found = await first_events(http, path, 4, headers={"Last-Event-ID": last["id"]})
    frames = [json.loads(event["data"]) for event in found[1:]]
    assert [(frame["type"], frame["group"]) for frame in frames] == [
        ("joined", group), ("joined", other), ("publication", other),
    ]  # fmt: skip
    assert frames[-1]["data"]["message"] == "c"


async def test_presence_is_kept_and_told(http, group):
    """Who streams is a member with what it says of itself; who polls looks only."""
    query = {"presence": 1, "info": json.dumps({"name": "Ada@home"})}
    async with asyncio.timeout(LIMIT), http.stream("GET", f"/events/{group}", params=query) as answer:
        found = events(answer)
        while "presence" not in (event := await anext(found)).get("event", ""):
            pass
        (member,) = json.loads(event["data"])["join"]
        assert member["info"] == {"name": "Ada@home"}
        polled = (await http.get(f"/poll/{group}", params={"presence": 1})).json()
        assert polled["presence"] == {"count": 1, "members": [member]}
    since = {"presence": 1, "since": polled["since"]}
    left = (await http.get(f"/poll/{group}", params=since)).json()
    while left["presence"]["count"]:
        left = (await http.get(f"/poll/{group}", params=since)).json()
    assert left["publications"] == []


async def test_a_silent_stream_has_a_pulse(start, redis_server):
    """A comment, before anyone on the way takes the silence for the end."""
    assert event_stream.HEARTBEAT < 20
    (start.folder / "lively.py").write_text(
        "from fanout.http import events\nevents.HEARTBEAT = 0.1\nfrom config.asgi import application\n"
    )
    start.environment |= {"PYTHONPATH": f"{start.environment['PYTHONPATH']}:{start.folder}"}
    replica = start.replica("lively:application", environment={"FANOUT_REDIS_URLS": redis_server.url})
    async with asyncio.timeout(LIMIT), client_of(replica) as http, http.stream("GET", "/events") as answer:
        lines = [line async for line, _ in azip(answer.aiter_lines(), range(12)) if line.startswith(":")]
    assert lines


async def azip(lines, numbers):
    for number in numbers:
        with contextlib.suppress(StopAsyncIteration):
            yield await anext(lines), number


async def test_a_client_that_does_not_read_is_cut_and_resumes(http, replica, group):
    """Its outbox is bounded; nobody else waits, and behind its last event nothing is missing."""
    count, text = 90, "x" * 60_000
    slow = replica.connection()
    slow.sendall(f"GET /events/{group} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    while b"joined" not in (seen := slow.recv(65536)):
        assert seen
    for number in range(count):
        await post(http, group, {"message": f"{number} {text}"})
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := await asyncio.to_thread(slow.recv, 1 << 20):
            data += part
    slow.close()
    assert not data.endswith(b"0\r\n\r\n"), "it looks as if it were whole"
    ids = [line.partition(b": ")[2] for line in data.split(b"\n") if line.startswith(b"id: ")]
    assert len(ids) < count
    headers = {"Last-Event-ID": ids[-1].decode().strip() if ids else f"{0}:0"}
    rest = await first_events(http, f"/events/{group}", 2 + count - len(ids), headers=headers)
    numbers = [json.loads(event["data"])["data"]["message"].split(" ")[0] for event in rest[2:]]
    assert numbers == [str(number) for number in range(len(ids), count)]


async def test_a_slow_reader_of_an_ephemeral_group_misses_what_is_superseded(http, replica):
    """Nothing is queued for it, and it is not cut: when it reads again it gets the newest of each value."""
    group, rounds, names = f"values.{uuid.uuid4().hex[:8]}", 40, "abcde"
    slow = replica.connection()
    slow.sendall(f"GET /events/{group} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    while b"joined" not in (seen := slow.recv(65536)):
        assert seen
    for number in range(1, rounds + 1):
        for name in names:
            await post(http, group, {"name": name, "number": number, "rest": "x" * 50_000})
    newest, frames, data = {}, 0, b""
    while newest != dict.fromkeys(names, rounds):
        part = await asyncio.to_thread(slow.recv, 1 << 20)
        assert part, "it was cut"
        *whole, data = (data + part).split(b"\n\n")
        for match in filter(None, (re.search(rb'"name":"(\w)","number":(\d+),', event) for event in whole)):
            name, number, frames = match[1].decode(), int(match[2]), frames + 1
            assert number > newest.get(name, 0), "an older value came behind a newer one"
            newest[name] = number
    slow.close()
    assert frames < rounds * len(names) // 2


# -- polls --------------------------------------------------------------------------------------------------


async def test_a_poll_waits_no_longer_than_it_says(http, group):
    """With an empty list and the same position at the end."""
    begun = (await http.get(f"/poll/{group}")).json()
    place = {"epoch": begun["epoch"], "offset": begun["offset"], "wait": 1}
    answer = (await http.get(f"/poll/{group}", params=place)).json()
    assert (answer["publications"], answer["since"]) == ([], begun["since"])


async def test_a_long_history_comes_in_several_answers(http, group):
    """Each bounded; together they are all, in order."""
    for number in range(30):
        await post(http, group, {"message": f"{number} " + "x" * 60_000})
    numbers, since, answers = [], "0:0", 0
    while len(numbers) < 30:
        answer = await http.get(f"/poll/{group}", params={"since": since})
        assert len(answer.content) < 1.1 * (1 << 20)
        numbers += [int(each["data"]["message"].split(" ")[0]) for each in answer.json()["publications"]]
        since, answers = answer.json()["since"], answers + 1
    assert (numbers, answers > 1) == (list(range(30)), True)


async def test_polls_of_an_ephemeral_group_give_the_latest_values(http):
    """What came between two polls, the newest of each name; a value is not told twice."""
    group = f"values.{uuid.uuid4().hex[:8]}"
    since = (await http.get(f"/poll/{group}")).json()["since"]
    for number in (1, 2, 3):
        for name in "ab":
            await post(http, group, {"name": name, "number": number})
    values = {}
    while set(values.values()) != {3}:
        answer = (await http.get(f"/poll/{group}", params={"since": since})).json()
        for each in answer["publications"]:
            assert each["data"]["number"] > values.get(each["data"]["name"], 0)
            values[each["data"]["name"]] = each["data"]["number"]
        since = answer["since"]
    last = (await http.get(f"/poll/{group}", params={"since": since, "wait": 0})).json()
    assert last["publications"] == []
    newcomer = (await http.get(f"/poll/{group}", params={"last": 1})).json()
    assert [each["data"] for each in newcomer["publications"]] == [{"name": "b", "number": 3}]


async def test_a_value_is_not_missed_on_the_way_to_another_replica(start, redis_server, http):
    """The next poll may reach a replica that has the group already; it may tell a value twice, but not none."""
    other = start.replica(
        "tests.fanout.values:application", environment={"FANOUT_REDIS_URLS": redis_server.url}, name="web-2"
    )
    group = f"values.{uuid.uuid4().hex[:8]}"
    async with client_of(other) as elsewhere:
        await elsewhere.get(f"/poll/{group}")
        since = (await http.get(f"/poll/{group}")).json()["since"]
        await post(http, group, {"name": "a", "number": 1})
        since = (await http.get(f"/poll/{group}", params={"since": since})).json()["since"]
        await post(http, group, {"name": "b", "number": 2})
        answer = (await elsewhere.get(f"/poll/{group}", params={"since": since})).json()
        while not any(each["data"]["name"] == "b" for each in answer["publications"]):
            answer = (await elsewhere.get(f"/poll/{group}", params={"since": answer["since"]})).json()


# -- the end ------------------------------------------------------------------------------------------------


async def test_a_drain_ends_streams_and_polls_cleanly(start, redis_server, group):
    """A stream ends with the wait and whole, a poll is answered at once; the replica exits 0."""
    replica = start.replica("tests.fanout.values:application", environment={"FANOUT_REDIS_URLS": redis_server.url})
    async with asyncio.timeout(LIMIT), client_of(replica) as http:
        since = (await http.get(f"/poll/{group}")).json()["since"]
        polling = asyncio.create_task(http.get(f"/poll/{group}", params={"since": since}))
        async with http.stream("GET", f"/events/{group}") as answer:
            found = events(answer)
            await anext(found)
            await anext(found)
            await post(http, "chat.another", {"message": "the poll is under way by now"})
            replica.signal(signal.SIGTERM)
            rest = [event async for event in found]  # raises if it is cut
        assert [event.get("event") for event in rest] == ["reconnect"]
        retry = json.loads(rest[0]["data"])["retry"]
        assert (int(rest[0]["retry"]), 0 <= retry <= 1000) == (retry, True)
        polled = await polling
        assert (polled.status_code, polled.json()["publications"]) == (200, [])
    assert await asyncio.to_thread(replica.wait) == 0


async def test_it_runs_on_another_asgi_server(start, redis_server, group):
    """Under uvicorn, which has neither a name nor a planned exit, a stream and a publish work alike."""
    server = start.tcp(
        "uvicorn", "config.asgi:application", "--port", "0", environment={"FANOUT_REDIS_URLS": redis_server.url}
    )
    async with asyncio.timeout(LIMIT), httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        await post(http, group, {"message": "x"})
        *_, event = await first_events(http, f"/events/{group}?last=1", 3)
        assert json.loads(event["data"])["data"] == {"message": "x"}
