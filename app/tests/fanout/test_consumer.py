"""The consumers over plain ASGI, as any server runs them: plain clients, fanout.v1, and what they must not send."""

import asyncio
import json

import pytest
from channels.layers import get_channel_layer

from config.asgi import application
from fanout import close_codes, hub, policy
from fanout.errors import BadData, Unavailable
from fanout.history import History
from fanout.policy import Policy
from fanout.sockets import AsgiBroadcaster, AsgiSocket
from tests.communicators import WebsocketCommunicator

ORIGIN = [(b"host", b"localhost")]


class Strict(Policy):
    """Lets in who asks for a room that is not secret, lets nobody talk in `quiet`, takes numbers only."""

    kind = "strict"
    frame_limit = 200

    async def may_join(self, scope, group):
        return not group.endswith("secret")

    async def may_publish(self, scope, group):
        return not group.endswith("quiet")

    def clean(self, data):
        if not isinstance(data, int):
            raise BadData("Send a number.")
        return data


class Counting(Policy):
    """Tells each client how many publications it has made."""

    kind = "counting"
    history = History()

    async def accept(self, scope, group, data):
        scope["count"] = scope.get("count", 0) + 1
        return {"data": data, "number": scope["count"]}


@pytest.fixture(autouse=True)
def strict(settings, monkeypatch):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.InMemoryChannelLayer"}}
    for kind in (Strict, Counting):
        monkeypatch.setitem(policy._policies, kind.kind, kind())


@pytest.fixture
async def connect():
    """Open a connection; all are closed at the end."""
    opened = []

    async def connect(path="/ws/", subprotocol="fanout.v1"):
        client = WebsocketCommunicator(application, path, ORIGIN, [subprotocol] if subprotocol else None)
        connected, accepted = await client.connect()
        assert connected
        assert accepted == subprotocol
        opened.append(client)
        return client

    yield connect
    for client in opened:
        await client.disconnect()


async def ask(client, frame):
    """Send a frame and return the answer."""
    await client.send_to(text_data=frame if isinstance(frame, str) else json.dumps(frame))
    return json.loads(await client.receive_from())


def json_nested(depth):
    return "[" * depth + "]" * depth


def nested(depth):
    return json.loads(json_nested(depth))


async def test_a_join_is_answered_with_group_and_replica(connect):
    """`joined` echoes the id and the group and says who answered."""
    client = await connect()
    answer = await ask(client, {"type": "join", "id": 7, "group": "strict.a"})
    assert answer.pop("replica")
    assert answer == {"type": "joined", "id": 7, "group": "strict.a"}


async def test_presence_is_told_to_who_asks(connect):
    """`joined` has the member's name and, on request, who is there; a `presence` frame tells who came and went."""
    ada, silent = await connect(), await connect()
    answer = await ask(ada, {"type": "join", "group": "chat.a", "presence": True, "info": {"name": "Ada"}})
    me = {"id": answer["member"], "info": {"name": "Ada"}}
    assert answer["presence"] == {"count": 0, "members": []}
    assert await ada.receive_json_from() == {"type": "presence", "group": "chat.a", "count": 1, "join": [me]}
    answer = await ask(silent, {"type": "join", "group": "chat.a"})
    assert "presence" not in answer
    bob = {"id": answer["member"], "info": None}
    told = await ada.receive_json_from()
    assert told == {"type": "presence", "group": "chat.a", "count": 2, "join": [bob]}
    await ask(silent, {"type": "leave", "group": "chat.a"})
    told = await ada.receive_json_from()
    assert told == {"type": "presence", "group": "chat.a", "count": 1, "leave": [bob["id"]]}
    assert await silent.receive_nothing()


async def test_plain_clients_are_members(connect):
    """They are counted, and get no frame about it."""
    ada = await connect()
    await ask(ada, {"type": "join", "group": "chat.a", "presence": True})
    await ada.receive_json_from()
    plain = await connect("/ws/chat/a/", subprotocol=None)
    assert (await ada.receive_json_from())["count"] == 2
    assert await plain.receive_nothing()


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"name": "x" * 300}, "too_large"),
        ({"name": 7}, "bad_data"),
        ({"name": "x" * 65}, "bad_data"),
        ("x", "bad_data"),
    ],
)
async def test_what_a_client_says_of_itself_is_checked(connect, info, code):
    """What the kind does not take is refused; the socket stays and is not in the group."""
    client = await connect()
    answer = await ask(client, {"type": "join", "group": "chat.a", "info": info})
    assert (answer["type"], answer["code"]) == ("error", code)
    assert (await ask(client, {"type": "leave", "group": "chat.a"}))["code"] == "not_joined"


async def test_a_refused_join_of_a_group_that_was_joined_changes_nothing(connect):
    """The client stays where it is, and hears on."""
    client = await connect()
    await ask(client, {"type": "join", "group": "chat.a"})
    refused = await ask(client, {"type": "join", "group": "chat.a", "info": {"name": "x" * 300}})
    assert refused["code"] == "too_large"
    await hub.get_hub().publish("chat.a", {"message": "still here"})
    assert (await client.receive_json_from())["data"] == {"message": "still here"}


async def test_an_event_of_channels_reaches_a_durable_group(connect, monkeypatch):
    """`group_send` to a group with a stream: its clients get the event, which has no position, and all goes on."""
    client, asked = await connect(), []
    await hub.get_hub().publish("chat.a", {"message": "the stream begins"})
    await ask(client, {"type": "join", "group": "chat.a"})
    layer = get_channel_layer()
    top = layer.top
    monkeypatch.setattr(layer, "top", lambda group: asked.append(group) or top(group))
    await layer.group_send("chat.a", {"type": "chat.message", "message": "from a consumer"})
    frame = await client.receive_json_from()
    assert frame == {"type": "publication", "group": "chat.a", "data": {"message": "from a consumer"}}
    await hub.get_hub().publish("chat.a", {"message": "next"})
    assert (await client.receive_json_from())["offset"] == 2
    assert asked == []


async def test_a_publication_reaches_every_member_and_is_acknowledged(connect):
    """The publisher gets the publication and an ack; another member gets the same frame."""
    one, two = await connect(), await connect()
    for client in (one, two):
        await ask(client, {"type": "join", "group": "chat.lobby"})
    await one.send_json_to(
        {"type": "publish", "id": 2, "group": "chat.lobby", "data": {"message": "hi", "name": "Ada"}}
    )
    got = {frame["type"]: frame for frame in (await one.receive_json_from(), await one.receive_json_from())}
    position = {"epoch": got["ack"]["epoch"], "offset": 1}
    assert got["ack"] == {"type": "ack", "id": 2, **position}
    data = {"message": "hi", "name": "Ada"}
    assert got["publication"] == {"type": "publication", "group": "chat.lobby", **position, "data": data}
    assert await two.receive_json_from() == got["publication"]


async def test_plain_and_v1_clients_of_a_group_hear_each_other(connect):
    """A plain client gets the data alone, a client of fanout.v1 gets the frame."""
    plain, v1 = await connect("/ws/chat/", subprotocol=None), await connect()
    await ask(v1, {"type": "join", "group": "chat.lobby"})
    await plain.send_json_to({"message": "hi"})
    assert await plain.receive_json_from() == {"message": "hi"}
    frame = await v1.receive_json_from()
    assert (frame["type"], frame["data"]) == ("publication", {"message": "hi"})


async def test_one_socket_serves_many_groups(connect):
    """What is published to either group arrives, and what is left does not any more."""
    client = await connect()
    for group in ("chat.a", "chat.b"):
        await ask(client, {"type": "join", "group": group})
    assert (await ask(client, {"type": "leave", "id": 3, "group": "chat.a"}))["type"] == "left"
    await hub.get_hub().publish("chat.a", {"message": "to a"})
    await hub.get_hub().publish("chat.b", {"message": "to b"})
    assert (await client.receive_json_from())["data"] == {"message": "to b"}
    assert await client.receive_nothing()


async def test_joining_twice_delivers_once(connect):
    """A second join is answered like the first and doubles nothing."""
    client = await connect()
    for _ in range(2):
        assert (await ask(client, {"type": "join", "group": "chat.a"}))["type"] == "joined"
    await hub.get_hub().publish("chat.a", {"message": "once"})
    await client.receive_json_from()
    assert await client.receive_nothing()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "bad_frame"),
        ("[1]", "bad_frame"),
        ("[" * 100_000, "bad_frame"),
        ('{"type":"publish","group":"chat.a","data":' + "[" * 100_000, "bad_frame"),
        ({"id": 5}, "bad_frame"),
        ({"type": "nope", "id": 5}, "unknown_type"),
        ({"type": 5, "id": 5}, "unknown_type"),
        ({"type": "join", "id": 5}, "bad_frame"),
        ({"type": "join", "id": 5, "group": 7}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "since": {"epoch": "e", "offset": -1}}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "since": {"epoch": "e", "offset": 2**63}}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "since": {"epoch": "e" * 10_000, "offset": 1}}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "since": {"epoch": "", "offset": 1}}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "since": 7}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "last": 1001}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "presence": 1}, "bad_frame"),
        ({"type": "join", "id": 5, "group": "a b"}, "bad_group"),
        ({"type": "join", "id": 5, "group": "x" * 100}, "bad_group"),
        ({"type": "join", "id": 5, "group": "chat.ä"}, "bad_group"),
        ({"type": "join", "id": 5, "group": "unregistered.x"}, "forbidden"),
        ({"type": "join", "id": 5, "group": "strict.secret"}, "forbidden"),
        ({"type": "leave", "id": 5, "group": "chat.a"}, "not_joined"),
        ({"type": "publish", "id": 5, "group": "strict.quiet", "data": 1}, "forbidden"),
        ({"type": "publish", "id": 5, "group": "unregistered.x", "data": 1}, "forbidden"),
        ({"type": "publish", "id": 5, "group": "strict.a", "data": "x"}, "bad_data"),
        ({"type": "publish", "id": 5, "group": "strict.a", "data": "x" * 300}, "too_large"),
        ({"type": "publish", "id": 5, "group": "chat.a", "data": {"message": "x" * 70_000}}, "too_large"),
        ({"type": "publish", "id": 5, "group": "chat.a"}, "bad_frame"),
        ({"type": "publish", "id": 5, "group": "chat.a", "data": {"message": "x"}, "key": ""}, "bad_frame"),
        ({"type": "publish", "id": 5, "group": "chat.a", "data": {"message": "x"}, "key": "k" * 65}, "bad_frame"),
        ({"type": "publish", "id": 5, "group": "chat.a", "data": nested(300)}, "bad_data"),
        ({"type": "publish", "id": 5, "group": "chat.a", "data": {"message": nested(300)}}, "bad_data"),
        (f'{{"type":"publish","group":"chat.a","data":{json_nested(1000)}}}', "bad_frame"),
        (f'{{"type":"join","group":"chat.a","info":{json_nested(1000)}}}', "bad_frame"),
        ({"type": "join", "id": 5, "group": "chat.a", "info": nested(200)}, "too_large"),
        ({"type": "join", "id": 5, "group": "chat.a", "info": nested(100)}, "bad_data"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_refused_frame_gets_an_error_and_the_socket_stays(connect, frame, code):
    """Every refusal has a code, a sentence and the frame's id where there is one; the next frame is served."""
    client = await connect()
    answer = await ask(client, frame)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["id"] == (5 if isinstance(frame, dict) else None)
    assert answer["message"].endswith((".", ")"))
    assert (await ask(client, {"type": "join", "group": "chat.a"}))["type"] == "joined"


async def test_a_frame_without_an_id_gets_null_in_every_answer(connect):
    """Whatever the answer is, `id` says that the frame had none."""
    client = await connect()
    for frame, kind in [
        ({"type": "join", "group": "chat.a"}, "joined"), ({"type": "leave", "group": "chat.a"}, "left"),
        ({"type": "publish", "group": "chat.a", "data": {"message": "x"}}, "ack"),
        ({"type": "leave", "group": "chat.a"}, "error"), ({"type": "leave", "group": "chat.a", "id": None}, "error"),
    ]:  # fmt: skip
        answer = await ask(client, frame)
        assert (answer["type"], answer["id"]) == (kind, None)


async def test_a_key_with_other_data_is_a_conflict(connect):
    """The first publication stands; the second is refused by a code of its own."""
    client = await connect()
    frame = {"type": "publish", "id": 5, "group": "chat.a", "key": "k"}
    assert (await ask(client, {**frame, "data": {"message": "one"}}))["type"] == "ack"
    assert (await ask(client, {**frame, "data": {"message": "two"}}))["code"] == "key_conflict"
    assert (await ask(client, {**frame, "data": {"message": "one"}}))["offset"] == 1


async def test_a_binary_frame_is_refused(connect):
    """fanout.v1 speaks text."""
    client = await connect()
    await client.send_to(bytes_data=b"\0")
    assert json.loads(await client.receive_from())["code"] == "bad_frame"


async def test_redis_away_is_an_error_and_the_socket_stays(connect, monkeypatch):
    """A publish that Redis did not take gets `unavailable`; the client may try again."""
    client = await connect()
    await ask(client, {"type": "join", "group": "chat.a"})

    async def away(*_):
        raise Unavailable("Redis can't be reached; try again.")

    monkeypatch.setattr(hub.get_hub()._layer, "append", away)
    answer = await ask(client, {"type": "publish", "id": 3, "group": "chat.a", "data": {"message": "hi"}})
    assert answer == {"type": "error", "id": 3, "code": "unavailable", "message": "Redis can't be reached; try again."}


async def test_a_plain_client_is_closed_when_redis_is_away(connect, monkeypatch):
    """A plain client that can't be served now gets 1013 and the sentence."""
    client = await connect("/ws/chat/", subprotocol=None)

    async def away(*_):
        raise Unavailable("Redis can't be reached; try again.")

    monkeypatch.setattr(hub.get_hub()._layer, "append", away)
    await client.send_json_to({"message": "hi"})
    closed = await client.receive_output()
    assert (closed["code"], closed["reason"]) == (close_codes.TRY_AGAIN_LATER, "Redis can't be reached; try again.")


async def test_a_path_without_plain_clients_refuses_them():
    """`/ws/` is for fanout.v1 alone: a client without the subprotocol is refused at the handshake."""
    client = WebsocketCommunicator(application, "/ws/", ORIGIN)
    connected, _ = await client.connect()
    assert not connected
    await client.wait()


async def test_a_client_that_goes_leaves_its_groups(connect):
    """When the socket ends, the process leaves the groups that nobody else is in."""
    client = await connect()
    await ask(client, {"type": "join", "group": "chat.gone"})
    await client.disconnect()
    assert "chat.gone" not in hub.get_hub().groups


async def test_a_slow_asgi_client_is_closed_at_its_limit():
    """On a server without our extension, a socket whose outbox is full is closed as too slow, others go on."""
    blocked, sent, fine = asyncio.Event(), [], []

    async def stuck(message):
        sent.append(message)
        await blocked.wait()

    async def free(message):
        fine.append(message)

    slow, fast = AsgiSocket(None, stuck), AsgiSocket(None, free)
    for _ in range(20):
        AsgiBroadcaster().broadcast([slow, fast], [b"x" * 100], limit=1000)
        await asyncio.sleep(0)
    assert len(fine) == 20
    assert slow.queued_bytes <= 1000
    blocked.set()
    await slow._task
    assert sent[-1]["code"] == close_codes.TOO_SLOW


async def test_an_asgi_socket_that_is_closed_is_not_late():
    """Nothing is kept for it, nothing is queued behind its goodbye, and the goodbye arrives."""
    blocked, sent = asyncio.Event(), []

    async def stuck(message):
        sent.append(message)
        await blocked.wait()

    socket = AsgiSocket(None, stuck)
    socket.send(b"one", b"two")
    assert AsgiBroadcaster().offer([socket], [b"three"]) == [socket]
    socket.close(4400, "Enough.")
    assert AsgiBroadcaster().offer([socket], [b"four"]) == []
    AsgiBroadcaster().broadcast([socket], [b"x" * 100], limit=10)
    blocked.set()
    await socket._task
    assert [message.get("text", message.get("code")) for message in sent] == ["one", "two", 4400]


async def test_a_policy_sees_who_publishes(connect):
    """What it keeps of a client is that client's own, for as long as its socket lives."""
    one, two = await connect(), await connect()
    await one.send_json_to({"type": "join", "id": 1, "group": "counting.a"})
    await one.receive_json_from()
    heard = []
    for client in (one, two, one):
        await client.send_json_to({"type": "publish", "id": 2, "group": "counting.a", "data": "hi"})
        if client is two:
            assert (await two.receive_json_from())["type"] == "ack"
        else:
            frames = [await one.receive_json_from()]
            while frames[-1]["type"] != "ack":
                frames.append(await one.receive_json_from())
            heard += frames
    while sum(frame["type"] == "publication" for frame in heard) < 3:
        heard.append(await one.receive_json_from())
    assert [frame["data"]["number"] for frame in heard if frame["type"] == "publication"] == [1, 1, 2]
