"""The fleet as its clients meet it: through nginx, on real replicas."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crowd import Connection, Crowd
from tests.busy import slowed

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[3]
REPLICAS = 3
MESSAGES = 1000
SECONDS = 30


async def one_on_each_replica(url: str, **options):
    """Open connections until each replica has answered one; keep one of each."""
    found = {}
    async with asyncio.timeout(SECONDS):
        while len(found) < REPLICAS:
            client = await connect(url, **options)
            replica = client.response.headers["X-Replica"]
            if replica in found:
                await client.close()
            else:
                found[replica] = client
    return found


async def test_every_replica_hears_every_replica(fleet):
    """A client on each of three replicas gets all that each sends: none lost, doubled or out of order."""
    clients = await one_on_each_replica(f"{fleet.ws_url}/ws/chat/proof/")
    heard = {receiver: defaultdict(list) for receiver in clients}

    async def publish(replica):
        for number in range(MESSAGES):
            await clients[replica].send(json.dumps({"message": f"{replica} {number}"}))

    async def receive(replica):
        for _ in range(MESSAGES * REPLICAS):
            publisher, number = json.loads(await clients[replica].recv())["message"].split()
            heard[replica][publisher].append(int(number))

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*map(publish, clients), *map(receive, clients))
    for receiver, publishers in heard.items():
        assert set(publishers) == set(clients), f"{receiver} heard only {set(publishers)}"
        for publisher, numbers in publishers.items():
            assert numbers == list(range(MESSAGES)), f"{publisher} -> {receiver}"
    for client in clients.values():
        await client.close()


async def test_a_ten_line_script_works(fleet):
    """A plain `websockets` script chats with itself: it sends a message and gets it back."""
    async with connect(f"{fleet.ws_url}/ws/chat/") as client:
        await client.send(json.dumps({"message": "hi"}))
        assert json.loads(await client.recv())["message"] == "hi"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"text": "hi"}', "message"),
        ('{"message": 7}', "string"),
        (json.dumps({"message": "x" * (64 * 1024 + 1)}), "64 KiB"),
        (b"hi", "text frames"),
        ("[" * 100_000, "JSON"),
    ],
    ids=["not JSON", "no object", "no message", "no string", "too long", "binary", "nested"],
)
async def test_bad_input_of_a_plain_client_costs_only_itself(fleet, frame, reason):
    """A plain client that sends nonsense is closed with 4400 and the reason; what others say is not lost."""
    url = f"{fleet.ws_url}/ws/chat/nonsense/"
    async with asyncio.timeout(SECONDS), connect(url) as other, connect(url) as offender:
        await offender.send(frame)
        with pytest.raises(ConnectionClosed):
            await offender.recv()
        assert offender.close_code == 4400
        assert reason in offender.close_reason
        await other.send('{"message": "still here"}')
        assert json.loads(await other.recv()) == {"message": "still here"}


def test_a_thousand_clients_connect_at_once(fleet):
    """1,000 handshakes that arrive together are all accepted, and spread over the replicas."""
    crowd = Crowd(("127.0.0.1", fleet.port), "/ws/chat/storm/")
    try:
        crowd.connect(1000)
        replicas = [connection.replica for connection in crowd.connections]
        assert set(replicas) == set(fleet.names)
        assert min(map(replicas.count, fleet.names)) > 1000 / REPLICAS / 2
    finally:
        crowd.close()


def publish_and_count(crowd: Crowd, messages: int) -> dict[Connection, list[bytes]]:
    """Publish from the first connection; return what each got, until all have all or time is up."""
    got: dict[Connection, list[bytes]] = {connection: [] for connection in crowd.connections}
    for number in range(messages):
        crowd.connections[0].send(b'{"message":"%d"}' % number)
        crowd.read_until(time.monotonic(), lambda connection, texts: got[connection].extend(texts))
    deadline = time.monotonic() + SECONDS
    while any(len(texts) < messages for texts in got.values()) and time.monotonic() < deadline:
        crowd.read_until(time.monotonic() + 0.05, lambda connection, texts: got[connection].extend(texts))
    return got


def test_five_hundred_clients_get_two_hundred_messages(fleet):
    """500 clients behind nginx get 200 messages each, in order."""
    crowd = Crowd(("127.0.0.1", fleet.port), "/ws/chat/crowd/")
    try:
        crowd.connect(500)
        expected = [b'{"message":"%d"}' % number for number in range(200)]
        for connection, texts in publish_and_count(crowd, 200).items():
            assert texts == expected, f"a client of {connection.replica} got {len(texts)}"
    finally:
        crowd.close()


def answering(crowd, *makes):
    """Run what is to be made, its clients answering pings meanwhile: who does not is cut."""
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(lambda: [make() for make in makes])
        while not running.done():
            crowd.read_until(time.monotonic() + 0.1, lambda *_: None)
        running.result()
    crowd.read_until(time.monotonic() + 1, lambda *_: None)


@pytest.mark.slow
def test_scaling_and_restarting_spare_the_survivors(own_fleet):
    """Clients of a replica that stays are not cut by `make scale`; a restart says 1012 to each client."""
    fleet = own_fleet
    crowd = Crowd(("127.0.0.1", fleet.port), "/ws/chat/scale/")
    try:
        crowd.connect(300)
        answering(crowd, lambda: fleet.make("scale", REPLICAS=5), lambda: fleet.make("scale", REPLICAS=2))
        for connection in crowd.connections:
            stays = connection.replica in ("web-1", "web-2")
            assert connection.closed == (None if stays else 1012), connection.replica
        answering(crowd, lambda: fleet.make("restart"))
        assert {connection.closed for connection in crowd.connections} == {1012}
    finally:
        crowd.close()


@pytest.mark.slow
def test_a_delivery_costs_a_twentieth_of_stock(tmp_path):
    """`make bench` measures at most 1/20 of a stock tutorial consumer's CPU for each delivery."""
    command = ["make", "-C", str(REPOSITORY), "bench", f"ARGS=--quick --results {tmp_path}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [row] = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert row["verdict"] == "reached"
    assert row["ours"]["value"] * 20 <= row["stock"]["value"]


def test_a_malformed_upgrade_takes_no_replica_out(fleet):
    """Upgrades with a body or with bad values get a 4xx, at nginx and by a replica; nobody else gets a 502."""
    upgrade = b"GET /ws/chat/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    keyed = upgrade + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    requests = [
        upgrade + b"Content-Length: 3\r\n\r\nabc",
        upgrade + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        keyed + b"Content-Length: 3\r\n\r\nabc",
        upgrade + b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: x\r\n\r\n",
        upgrade + b"\r\n",
        upgrade + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % (b"\xe9" * 6000),
        upgrade + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % (b"a" * 8150),
        upgrade + b"Sec-WebSocket-Version: %b\r\n\r\n" % (b"x" * 8000),
        keyed + b"Origin: %b\r\n\r\n" % (b"\xe9" * 5000),
        keyed.replace(b"localhost", b"a:" + b"x" * 8000) + b"\r\n",
    ]
    replica = fleet.sockets[fleet.names[0]]
    for request in requests:
        for connection in (socket.create_connection(("127.0.0.1", fleet.port)), unix(replica)):
            assert first_line(connection, request).startswith(b"HTTP/1.1 4"), request[-60:]
        assert httpx.get(f"{fleet.base_url}/healthz").status_code == 200


@pytest.mark.parametrize("query", [b"a" * 8100, b"{" * 5000])
def test_a_long_redirect_takes_no_replica_out(fleet, query):
    """The longest address that nginx takes is sent back, percent-encoded; Django sends at most 16 KiB of one."""
    for _ in fleet.names:
        connection = socket.create_connection(("127.0.0.1", fleet.port))
        said = first_line(connection, b"GET /chat?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % query)
        assert said.startswith(b"HTTP/1.1 301")
    assert httpx.get(f"{fleet.base_url}/healthz").status_code == 200


def test_another_protocol_may_be_offered_with_a_body(fleet):
    """The answer is that of the same request without the offer."""
    offer = {"Upgrade": "h2c", "Connection": "Upgrade"}
    plain, offering = (httpx.post(f"{fleet.base_url}/", content=b"abc", headers=more) for more in ({}, offer))
    assert offering.status_code == plain.status_code != 400


def first_line(connection, request):
    with connection:
        connection.settimeout(SECONDS)
        connection.sendall(request)
        return connection.recv(100).partition(b"\r\n")[0]


def unix(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection


def test_a_client_cannot_set_the_root_path(fleet):
    """Daphne's own header is not taken from strangers."""
    page = httpx.get(f"{fleet.base_url}/", headers={"Daphne-Root-Path": "/evil"}).text
    assert "/evil" not in page


async def test_a_host_of_strangers_is_no_origin(fleet):
    """A page whose name points here by a trick (DNS rebinding) may not open a socket; a host of ours may."""
    replica = str(fleet.sockets["web-1"])
    async with unix_connect(replica, "ws://localhost/ws/chat/", origin="http://localhost"):
        pass
    with pytest.raises(InvalidStatus) as refused:
        await unix_connect(replica, "ws://evil.example/ws/chat/", origin="http://evil.example")
    assert refused.value.response.status_code == 403


async def test_a_flood_of_nonsense_does_not_starve_the_others(fleet):
    """One socket sends a hundred thousand frames that are refused; another's messages there take under 1 s."""
    replica, flood = str(fleet.sockets["web-1"]), bytes((0x81, 0x81, 0, 0, 0, 0, 0x78)) * 100_000
    flooder = await unix_connect(replica, "ws://localhost/ws/", subprotocols=["fanout.v1"])
    async with unix_connect(replica, "ws://localhost/ws/chat/flood/") as other, asyncio.timeout(SECONDS):
        flooder.transport.write(flood)
        for _ in range(20):
            began = time.monotonic()
            await other.send('{"message": "still served"}')
            await other.recv()
            assert time.monotonic() - began < slowed()
    flooder.transport.abort()


async def test_groups_of_one_socket_are_bounded(fleet):
    """The 129th group is refused with a sentence; the socket stays, and so do the other 128."""
    async with connect(f"{fleet.ws_url}/ws/", subprotocols=["fanout.v1"]) as client, asyncio.timeout(SECONDS):
        for number in range(129):
            await client.send(json.dumps({"type": "join", "id": number, "group": f"chat.bounded-{number}"}))
        answers = [json.loads(await client.recv()) for _ in range(129)]
        assert [answer["type"] for answer in answers] == ["joined"] * 128 + ["error"]
        assert answers[-1]["code"] == "too_many_groups"


async def test_a_message_over_the_servers_limit_is_told(fleet):
    """More than 1 MiB is not even parsed: a close frame with 1009 says so."""
    async with connect(f"{fleet.ws_url}/ws/chat/huge/") as client:
        await client.send("x" * (1024 * 1024 + 1))
        async with asyncio.timeout(SECONDS):
            await client.wait_closed()
        assert client.close_code == 1009


async def test_the_room_rule_holds_for_every_client(fleet):
    """What is no room on the page is none over fanout.v1."""
    async with connect(f"{fleet.ws_url}/ws/", subprotocols=["fanout.v1"]) as client:
        for group in ("chat", "chat.", "chat." + "x" * 65, "chat..."):
            await client.send(json.dumps({"type": "join", "id": 1, "group": group}))
            assert json.loads(await client.recv())["code"] == "forbidden", group
