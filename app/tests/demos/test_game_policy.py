"""What the arena takes, over a socket of plain ASGI: tickets, steps, claims; and who owns a gem."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from django.core import signing

from config.asgi import application
from demos.game import claims, policy
from demos.game.arena import NAME_LIMIT, SETTLE
from demos.game.claims import collect
from demos.game.player import TICKET_AGE, Player, new_ticket
from demos.game.rounds import round_at
from demos.game.walker import Walker
from fanout.errors import BadData, Unavailable
from fanout.positions import Position
from fanout.publishing import default_layer
from tests.communicators import WebsocketCommunicator

ORIGIN = [(b"host", b"localhost")]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """This process knows nothing of any gem."""
    monkeypatch.setattr(claims, "_settled", {})


class Socket:
    """One client of fanout.v1."""

    def __init__(self):
        self.line = WebsocketCommunicator(application, "/ws/", ORIGIN, ["fanout.v1"])

    async def ask(self, **frame):
        """Send a frame; return its answer, and keep what came before it."""
        await self.line.send_json_to({"id": 7, **frame})
        while (answer := await self.line.receive_json_from(timeout=10)).get("id") != 7:
            self.heard.append(answer.get("data"))
        return answer

    async def step(self, group="game.main", **data):
        return await self.ask(type="publish", group=group, data=data)

    async def hears(self):
        """The data of the next publication."""
        if self.heard:
            return self.heard.pop(0)
        return (await self.line.receive_json_from(timeout=10))["data"]

    async def __aenter__(self):
        self.heard = []
        assert (await self.line.connect())[0]
        return self

    async def __aexit__(self, *_):
        await self.line.disconnect()


@pytest.mark.usefixtures("default_layer")
async def test_others_hear_a_step_with_the_id_and_name_of_its_player():
    """The ticket says who walks; what a client claims to be counts for nothing."""
    player, ticket = new_ticket()
    async with Socket() as watcher, Socket() as walker:
        await watcher.ask(type="join", group="game.main")
        assert (await walker.step(ticket=ticket, name="  Ada \n L. ", x=10, y=20))["type"] == "ack"
        assert await watcher.hears() == {"id": player, "name": "Ada L.", "x": 10, "y": 20}
        assert (await walker.step(id="somebody", name="Eve", x=12.4, y=20))["type"] == "ack"
        assert await watcher.hears() == {"id": player, "name": "Ada L.", "x": 12, "y": 20}
        assert (await walker.step(gone=True))["type"] == "ack"
        assert await watcher.hears() == {"id": player, "gone": True}
        assert (await walker.step(x=13, y=20))["code"] == "forbidden"


@pytest.mark.usefixtures("default_layer")
async def test_a_cheaters_step_is_told_and_reaches_nobody():
    """Too fast, outside, and too many are errors with a sentence; the next honest step is what others hear next."""
    _, ticket = new_ticket()
    async with Socket() as watcher, Socket() as cheater:
        await watcher.ask(type="join", group="game.main")
        await cheater.step(ticket=ticket, name="Eve", x=0, y=0)
        await watcher.hears()
        for place, words in (((1200, 750), "Too fast"), ((-5, 0), "outside the arena"), ((1e300, 0), "outside")):
            answer = await cheater.step(x=place[0], y=place[1])
            assert answer["code"] == "bad_data"
            assert words in answer["message"]
        assert (await cheater.step(x=1, y=1))["type"] == "ack"
        heard = await watcher.hears()
        assert (heard["x"], heard["y"]) == (1, 1)


@pytest.mark.usefixtures("memory_default_layer")
@pytest.mark.parametrize(
    "data",
    [None, 7, "x", [], {"x": "1"}, {"x": None, "y": 2}, {"ticket": 5}, {"ticket": "x" * 129}, {"x": True, "name": 3}],
)
async def test_what_is_no_step_is_refused_with_an_example(data):
    """A sentence, whatever it is; the socket stays."""
    async with Socket() as client:
        answer = await client.ask(type="publish", group="game.main", data=data)
        assert answer["code"] == "bad_data"
        assert '{"x": …, "y": …}' in answer["message"]
        assert (await client.ask(type="join", group="game.main"))["type"] == "joined"


@pytest.mark.usefixtures("memory_default_layer")
async def test_nobody_plays_without_a_ticket_of_this_server(monkeypatch):
    """None, a forged one, another's signature, an old one: each is told apart."""
    player, ticket = new_ticket()
    async with Socket() as client:
        assert "do not play in main" in (await client.step(x=1, y=1))["message"]
        for forged in ("", player, ticket[:-1] + "!", signing.TimestampSigner(salt="other").sign(player)):
            assert "no ticket of this server" in (await client.step(ticket=forged, x=1, y=1))["message"]
        in_two_days = time.time() + 2 * TICKET_AGE
        with monkeypatch.context() as later:
            later.setattr(time, "time", lambda: in_two_days)
            assert "a day old" in (await client.step(ticket=ticket, x=1, y=1))["message"]
        assert (await client.step(ticket=ticket, x=1, y=1))["type"] == "ack"
        assert (await client.step(group="game.other", x=1, y=1))["code"] == "forbidden"


async def test_a_step_without_a_socket_is_refused():
    """Over plain HTTP nothing tells how far a player may have come."""
    _, ticket = new_ticket()
    with pytest.raises(BadData, match="over a WebSocket only"):
        await policy.GamePolicy().accept({"type": "http"}, "game.main", {"ticket": ticket, "x": 1, "y": 1})


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_ticket_sent_again_is_no_way_to_jump():
    """On the same connection the same player walks on; only its name may change."""
    _, ticket = new_ticket()
    async with Socket() as client:
        await client.step(ticket=ticket, name="Eve", x=0, y=0)
        assert "Too fast" in (await client.step(ticket=ticket, name="Eve", x=1200, y=750))["message"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "Somebody"),
        (" \t ", "Somebody"),
        ("x" * 99, "x" * NAME_LIMIT),
        ("a\u202eb\x00c", "abc"),
        ("<b>Eve</b>", "<b>Eve</b>"),
        ("Zoë 李", "Zoë 李"),
    ],
)
def test_a_name_is_one_short_visible_line(name, shown):
    """Control characters and marks that turn the line around are dropped."""
    assert policy._clean_name(name) == shown


@pytest.mark.usefixtures("memory_default_layer")
async def test_clients_claim_nothing_themselves():
    """The gems' group is listened to by anyone and published to by replicas alone."""
    async with Socket() as client:
        assert (await client.ask(type="join", group="gems.main"))["type"] == "joined"
        claim = {"round": 1, "gem": 1, "by": "me", "name": "Eve"}
        assert (await client.ask(type="publish", group="gems.main", data=claim))["code"] == "forbidden"


def standing_on(gem, player_id, name):
    return Player(player_id, name, "main", Walker(gem.x, gem.y, 0.0))


async def collected(player, now):
    """Collect, and wait for what becomes of it."""
    collect(player, now)
    await asyncio.gather(*claims._tasks)


async def told(arena="main"):
    """The data of all that the arena's gems' stream holds, without the rounds' openings."""
    layer = default_layer()
    end = (await layer.top(f"gems.{arena}")).position
    entries = await layer.read(f"gems.{arena}", Position(end.epoch, 0), end.offset)
    kept = [json.loads(entry.data) for entry in entries]
    return [each for each in kept if "gem" in each], [each for each in kept if "gems" in each]


@pytest.mark.usefixtures("default_layer")
async def test_a_gem_has_one_owner_whichever_replica_claims_it_second(monkeypatch):
    """Two replicas that know nothing of each other claim it: the stream has the first claim, and the round once."""
    now = 6000.0
    gem = round_at("main", now).gems[0]
    await collected(standing_on(gem, "a", "Ada"), now)
    monkeypatch.setattr(claims, "_settled", {})  # as another replica
    await collected(standing_on(gem, "b", "Bob"), now)
    await collected(standing_on(gem, "b", "Bob"), now)
    owned, rounds = await told()
    assert [claim["by"] for claim in owned if claim["gem"] == 0] == ["a"]
    assert len(rounds) == 1


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_gem_is_asked_for_once_by_a_replica(monkeypatch):
    """Whoever stands on it for long costs Redis one question."""
    asked = []

    async def publish(group, data, key):
        asked.append(key)

    monkeypatch.setattr(claims, "apublish", publish)
    gem = round_at("main", 6000.0).gems[0]
    for _ in range(20):
        await collected(standing_on(gem, "a", "Ada"), 6000.0)
    assert len(asked) == len(set(asked))
    await collected(standing_on(gem, "a", "Ada"), 6060.0)
    assert set(claims._settled["main"][1]) & {"round-101"}
    await collected(Player("a", "Ada", "other", Walker(0, 0, 0.0)), 6120.0)
    assert set(claims._settled) == {"other"}


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_gem_stays_while_redis_is_away(monkeypatch):
    """A claim that nobody confirmed is made again with the next step."""

    async def publish(group, data, key):
        raise Unavailable("Redis is away.")

    gem = round_at("main", 6000.0).gems[0]
    with monkeypatch.context() as outage:
        outage.setattr(claims, "apublish", publish)
        await collected(standing_on(gem, "a", "Ada"), 6000.0)
    await collected(standing_on(gem, "a", "Ada"), 6000.0)
    owned, rounds = await told()
    assert [claim["by"] for claim in owned if claim["gem"] == 0] == ["a"]
    assert len(rounds) == 1


@pytest.mark.usefixtures("memory_default_layer")
async def test_who_has_just_come_takes_nothing(monkeypatch):
    """A connection begins anywhere, so it begins with a wait; then the step that touches a gem takes it."""
    clock = [1000.0]
    monkeypatch.setattr(policy, "time", SimpleNamespace(monotonic=lambda: clock[0], time=lambda: 6000.0))
    gem = round_at("main", 6000.0).gems[0]
    scope = {"type": "websocket"}
    accept = policy.GamePolicy().accept
    monkeypatch.setattr(policy, "player_of", lambda ticket: ticket)
    await accept(scope, "game.main", {"ticket": "a", "name": "Ada", "x": gem.x, "y": gem.y})
    clock[0] += SETTLE - 0.01
    await accept(scope, "game.main", {"x": gem.x, "y": gem.y})
    assert await told() == ([], [])
    clock[0] += 0.02
    await accept(scope, "game.main", {"x": gem.x, "y": gem.y})
    await asyncio.gather(*claims._tasks)
    owned, _ = await told()
    assert {"round": 100, "gem": 0, "by": "a", "name": "Ada"} in owned
