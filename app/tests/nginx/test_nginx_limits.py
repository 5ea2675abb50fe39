"""What nginx refuses by itself, in words: too many connections of one address, and handshakes that come too fast."""

import contextlib
import http.client
import ipaddress
import json
import random
import time

from fanout.limits.bounds import counted_address
from fleet.limits import NETWORKS, NONE, ClientLimits

HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket"}
LIMIT = 10
"""Seconds."""
PAIRS = 60
KNOWN = (
    (("2001:0db8:0:0:1::", "2001:db8::1"), ("2001:0db8:0:0:1::", "2001:db8:0:1::")),
    (("::ffff:198.51.100.7", "198.51.100.7"), ("::ffff:198.51.100.7", "198.51.100.8")),
    (("::2:0:0:0:1", "::2:1:1:1:1"), ("::2:0:0:0:1", "::1:2:0:0:0:1")),
    (("::198.51.100.7", "::9"), ("::198.51.100.7", "0:0:0:9::")),
)
FEW = ClientLimits(connections=2, handshakes=1, exempt=NETWORKS[NONE])


@contextlib.contextmanager
def stream(edge, **headers):
    """An event stream that stays open; its status."""
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    connection.request("GET", "/events/chat.a", headers=headers)
    with contextlib.closing(connection):
        yield connection.getresponse().status


def soon_200(edge):
    """Ask until there is room: each worker of nginx has to see by itself that its client has gone."""
    deadline = time.monotonic() + LIMIT
    while (status := edge.request("/")[0]) != 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    return status == 200


def test_one_address_has_so_many_connections(make_edge):
    """Beyond, 429 with a sentence: problem details for programs, a page for people; when one has gone there is room."""
    edge = make_edge(limits=FEW)
    edge.start("web-1")
    with stream(edge) as first, stream(edge) as second:
        assert (first, second) == (200, 200)
        status, headers, body = edge.request("/")
        assert (status, headers["Retry-After"], headers["Cache-Control"]) == (429, "10", "no-store")
        assert json.loads(body)["code"] == "too_many_connections"
        assert json.loads(body)["detail"].endswith("or try again in ten seconds.")
        status, headers, body = edge.request("/", headers={"Accept": "text/html"})
        assert (status, headers["Content-Type"]) == (429, "text/html; charset=utf-8")
        assert b"FANOUT_CONNECTIONS_PER_ADDRESS" in body
    assert soon_200(edge), "there is no room although all have gone"


def test_who_says_to_have_another_address_is_not_believed(make_edge):
    """Unless a proxy that was named says so: then each client is counted by itself."""
    edge = make_edge(limits=FEW)
    edge.start("web-1")
    with stream(edge, **{"X-Forwarded-For": "198.51.100.1"}), stream(edge, **{"X-Real-IP": "198.51.100.2"}):
        assert edge.request("/", headers={"X-Forwarded-For": "198.51.100.3"})[0] == 429
        assert edge.request("/", headers={"Forwarded": "for=198.51.100.4"})[0] == 429


def test_behind_a_named_proxy_each_client_has_its_own(make_edge):
    """And the nearest of the addresses is the client's, whatever it put before."""
    edge = make_edge(limits=FEW, trusted_proxies=("127.0.0.1/32",))
    edge.start("web-1")
    mine = {"X-Forwarded-For": "198.51.100.1"}
    with stream(edge, **mine), stream(edge, **mine):
        assert edge.request("/", headers=mine)[0] == 429
        assert edge.request("/", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})[0] == 429
        assert edge.request("/", headers={"X-Forwarded-For": "198.51.100.2"})[0] == 200


def spellings():
    """Pairs of IPv6 addresses: of one network and of two, with zeros wherever they may be, so with "::" there."""
    known = random.Random(6)  # noqa: S311 - the same pairs each time
    for _ in range(PAIRS):
        network, host, other = ([known.choice((0, known.randrange(1, 65536))) for _ in range(4)] for _ in range(3))
        elsewhere = [*network]
        elsewhere[known.randrange(4)] ^= known.randrange(1, 65536)
        yield (text(network, host), text(network, other)), (text(network, host), text(elsewhere, host))


def text(network, host):
    return str(ipaddress.IPv6Address(b"".join(group.to_bytes(2) for group in (*network, *host))))


def test_a_client_of_ipv6_is_counted_by_its_network(make_edge):
    """As replicas count it, however its address is spelt; who is in another one has connections of its own."""
    edge = make_edge(limits=ClientLimits(connections=1, handshakes=0, exempt=()), trusted_proxies=("127.0.0.1/32",))
    edge.start("web-1")
    seen = set()
    with contextlib.ExitStack() as stack:
        for same, different in [*spellings(), *KNOWN]:
            if counted_address(same[0]) in seen:
                continue
            seen.add(counted_address(same[0]))
            assert stack.enter_context(stream(edge, **{"X-Forwarded-For": same[0]})) == 200, same
            assert counted_address(same[0]) == counted_address(same[1])
            assert edge.request("/", headers={"X-Forwarded-For": same[1].upper()})[0] == 429, same
            if counted_address(different[1]) not in seen:
                assert edge.request("/", headers={"X-Forwarded-For": different[1]})[0] == 200, different
    assert len(seen) > PAIRS / 2


def test_one_address_shakes_hands_so_often(make_edge):
    """Ten seconds' worth at once; all other requests go on, and no refusal is a line in the error log."""
    edge = make_edge(limits=FEW)
    edge.start("web-1")
    statuses = [edge.request("/ws/", headers=HANDSHAKE)[0] for _ in range(50)]
    assert statuses[:11] == [200] * 11
    assert 429 in statuses
    assert edge.request("/")[0] == 200
    assert "limiting" not in (edge.folder / "error.log").read_text()


def test_who_is_exempt_is_not_counted(make_edge):
    """This machine, where it was named."""
    edge = make_edge(limits=ClientLimits(connections=2, handshakes=1))
    edge.start("web-1")
    with stream(edge), stream(edge), stream(edge) as third:
        assert third == 200
        assert {edge.request("/ws/", headers=HANDSHAKE)[0] for _ in range(15)} == {200}


def test_a_limit_of_0_is_none(make_edge):
    """And nginx takes the configuration."""
    edge = make_edge(limits=ClientLimits(connections=0, handshakes=0, exempt=()))
    edge.start("web-1")
    assert {edge.request("/ws/", headers=HANDSHAKE)[0] for _ in range(15)} == {200}
