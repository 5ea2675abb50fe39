"""The addresses of a real replica: who may ask, what is refused and how, what a key does."""

import asyncio
import json
import uuid

import pytest

from fanout.protocol import KEY_LIMIT
from tests.fanout.http.answers import problem
from tests.fanout.http.conftest import BASE, client_of
from tests.fanout.transports import post
from tests.replicas import LIMIT

TRUSTED = "https://trusted.example"
ADDRESSES = {"/events/chat.a": "GET", "/poll/chat.a": "GET", "/groups/chat.a/publications": "POST"}
JSON = {"content-type": "application/json"}


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
