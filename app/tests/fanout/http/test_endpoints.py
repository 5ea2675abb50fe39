"""The addresses of a real replica: who may ask, what is refused and how, what a key does, how a drain ends them."""

import asyncio
import contextlib
import json
import re
import signal
import uuid

import httpx
import pytest

from fanout.http import events as event_stream
from fanout.protocol import KEY_LIMIT
from tests.fanout.http.conftest import BASE, client_of
from tests.fanout.transports import events, post
from tests.replicas import LIMIT

TRUSTED = "https://trusted.example"
ADDRESSES = {"/events/chat.a": "GET", "/poll/chat.a": "GET", "/groups/chat.a/publications": "POST"}
JSON = {"content-type": "application/json"}


def problem(answer):
    """Status and code of a refusal, which has to be well-formed."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"title", "status", "detail", "code"} <= set(answer.json())
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["detail"].endswith(".")
    return answer.status_code, answer.json()["code"]


async def first_events(http, path, count, **options):
    """The first events of a stream."""
    found = []
    async with asyncio.timeout(LIMIT), http.stream("GET", path, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in events(answer):
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


# -- what is asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "method"), ADDRESSES.items())
async def test_another_method_is_refused_by_name(http, path, method):
    """405 with what is allowed; OPTIONS says the same."""
    for other in {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH"} - {method}:
        answer = await http.request(other, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, f"{method}, OPTIONS")
    assert problem(await http.put(path)) == (405, "method_not_allowed")
    answer = await http.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, f"{method}, OPTIONS", b"")


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0, text/event-stream;q=0"])
@pytest.mark.parametrize("path", ["/events/chat.a", "/poll/chat.a", "/openapi.json"])
async def test_what_the_client_does_not_take_is_not_sent(http, path, accept):
    """406, and the refusal says what there is."""
    assert problem(await http.get(path, headers={"accept": accept})) == (406, "not_acceptable")


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {**JSON, "content-encoding": "gzip"}])
async def test_only_json_is_taken(http, group, headers):
    """415, with what would be: a form of another site can't send it."""
    answer = await http.post(f"/groups/{group}/publications", content=b"{}", headers=headers)
    assert problem(answer) == (415, "unsupported_media_type")
    assert "accept" in answer.headers or "accept-encoding" in answer.headers


@pytest.mark.parametrize("path", ["/events/{}", "/poll/{}", "/groups/{}/publications"])
@pytest.mark.parametrize("name", ["chat.lob$by", "a b", "x" * 100, "chat%2Fa"])
async def test_a_bad_name_is_told_the_rule(http, path, name):
    """400, and the rule."""
    path = path.format(name)
    answer = await (http.post(path, json={}) if "groups" in path and "%2F" not in path else http.get(path))
    if "groups" in path and "%2F" in path:
        assert problem(answer) == (404, "not_found")
        return
    assert problem(answer) == (400, "bad_group")
    assert "letters, digits, - _ and ." in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "since=nonsense", "since=a:99999999999999999", "last=-1", "last=1001", "last=many", "presence=perhaps",
        "info=%7B", "epoch=a", "offset=3", "wait=26", "wait=soon", "group=%FF",
    ],
)  # fmt: skip
async def test_a_bad_query_is_told_what_is_wrong(http, query):
    """400 with a sentence."""
    assert problem(await http.get(f"/poll/chat.a?{query}")) == (400, "bad_frame")


async def test_what_nobody_may_join_or_publish_to_is_forbidden(http):
    """403, as over a WebSocket; one group of several that is refused is named."""
    for answer in (
        await http.get("/events/unknown.a"),
        await http.get("/poll/unknown.a"),
        await post(http, "unknown.a", {}),
    ):
        assert problem(answer) == (403, "forbidden")
    answer = await http.get("/events?group=chat.a&group=unknown.b")
    assert (problem(answer), answer.json()["group"]) == ((403, "forbidden"), "unknown.b")


async def test_too_many_groups_are_refused(http):
    """At 129; a WebSocket has the same limit."""
    groups = "&".join(f"group=chat.{number}" for number in range(129))
    assert problem(await http.get(f"/poll?{groups}")) == (400, "too_many_groups")


async def test_other_paths_are_not_touched(http):
    """The pages answer as before, also beside ours."""
    assert (await http.get("/chat/lobby/")).headers["content-type"].startswith("text/html")
    assert (await http.get("/eventsx")).headers["content-type"].startswith("text/html")


# -- who asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "method"), ADDRESSES.items())
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:81", "https://trusted.example:444"]
)
async def test_a_page_of_another_site_is_refused(http, path, method, origin):
    """Whatever it asks, with its cookies or without; and it may not read the refusal."""
    for verb in (method, "OPTIONS"):
        answer = await http.request(verb, path, headers={"origin": origin, **JSON}, content=b"{}")
        assert problem(answer) == (403, "bad_origin")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("path", "method"), ADDRESSES.items())
async def test_a_trusted_page_may_ask(http, path, method):
    """The preflight says what it may send, and answers may be read by it alone."""
    asked = {"origin": TRUSTED, "access-control-request-method": method, "access-control-request-headers": "x"}
    answer = await http.options(path, headers=asked)
    assert answer.headers["access-control-allow-origin"] == TRUSTED
    assert method in answer.headers["access-control-allow-methods"]
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert (answer.headers["vary"], answer.headers["access-control-allow-credentials"]) == ("Origin", "true")
    answer = await http.put(path, headers={"origin": TRUSTED})
    assert answer.headers["access-control-allow-origin"] == TRUSTED


async def test_a_page_of_this_host_may_ask(http, group):
    """Its POST names its origin; no token is needed."""
    answer = await http.post(f"/groups/{group}/publications", json={"message": "x"}, headers={"origin": BASE})
    assert answer.status_code == 201


async def test_what_another_site_embeds_is_refused(http):
    """An image names no origin, but the browser says where it stands; a link that was clicked may lead here."""
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert problem(await http.get("/poll/chat.a", headers=embedded)) == (403, "bad_origin")
    clicked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await http.get("/poll/chat.a", headers=clicked)).status_code == 200


async def test_a_host_that_is_not_ours_is_refused(http):
    """A stranger's name that points here (DNS rebinding) makes no same origin."""
    assert problem(await http.get("/poll/chat.a", headers={"host": "evil.example"})) == (421, "bad_host")


# -- publishing ---------------------------------------------------------------------------------------------


async def test_a_key_makes_one_publication(http, group):
    """A repeat, quoted or not, gets the first one's position; other data under the same key is a conflict."""
    key = uuid.uuid4().hex
    answers = [await post(http, group, {"message": "once"}, each) for each in (key, f'"{key}"', key)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    assert answers[0].json()["offset"] == 1
    assert problem(await post(http, group, {"message": "other"}, key)) == (422, "key_conflict")


@pytest.mark.parametrize("key", ["x" * (KEY_LIMIT + 1), '""', "tab\tbed"])
async def test_a_bad_key_is_refused(http, group, key):
    """400, and nothing is published."""
    assert problem(await post(http, group, {"message": "x"}, key)) == (400, "bad_frame")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"", (400, "bad_frame")),
        (b"{", (400, "bad_frame")),
        (b"[" * 100_000, (400, "bad_frame")),
        (b'"\xff"', (400, "bad_frame")),
        (b"3", (422, "bad_data")),
        (b'{"message": 3}', (422, "bad_data")),
        (json.dumps({"message": "x" * 66_000}).encode(), (413, "too_large")),
        (b'"' + b"x" * 600_000 + b'"', (413, "too_large")),
    ],
)
async def test_a_bad_body_is_told_what_is_wrong(http, group, body, refused):
    """The policy of the group decides, as over a WebSocket."""
    assert problem(await http.post(f"/groups/{group}/publications", content=body, headers=JSON)) == refused


async def test_an_ephemeral_group_keeps_nothing(http):
    """202, without a position."""
    answer = await post(http, "values.a", {"name": "a", "number": 1})
    assert (answer.status_code, answer.json()) == (202, {"group": "values.a"})


async def test_a_redis_that_is_away_is_told(start, own_redis):
    """503 with Retry-After, within seconds; when it is back, everything goes on."""
    replica = start.replica("tests.fanout.values:application", environment={"FANOUT_REDIS_URLS": own_redis.url})
    async with asyncio.timeout(2 * LIMIT), client_of(replica) as http:
        assert (await post(http, "chat.a", {"message": "x"}, "k")).status_code == 201
        own_redis.stop()
        for answer in (
            await post(http, "chat.a", {"message": "y"}, "l"),
            await http.get("/events/chat.a"),
            await http.get("/poll/chat.b"),
        ):
            assert problem(answer) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        own_redis.start()
        while (await http.get("/poll/chat.b")).status_code == 503:
            pass
        assert (await post(http, "chat.a", {"message": "y"}, "l")).status_code == 201


# -- streams ------------------------------------------------------------------------------------------------


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
