"""The layer over TLS (rediss://), to a real Redis with a port for it, an account and a password."""

import asyncio

import pytest

from fanout.errors import Unavailable
from fanout.history import History
from fanout.positions import Position
from fanout.presence.view import Part
from tests import certificates
from tests.ports import a_free_port
from tests.redis_servers import RedisServer
from tests.redises import started

LIMIT = 10
GROUP = "kept.tls"
PASSWORD = "p%40ss"  # noqa: S105 - p@ss in a URL


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Redis that listens for TLS alone beside its socket, with the rights of deploy/redis.acl."""
    certificate, key = certificates.write(tmp_path_factory.mktemp("tls"))
    port = a_free_port()
    options = ("--tls-port", str(port), "--tls-auth-clients", "no")
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with started(RedisServer, *options, *files) as made:
        made.cli.execute_command("ACL", "SETUSER", "app", "resetpass", ">p@ss")
        made.secure = f"rediss://app:{PASSWORD}@127.0.0.1:{port}/0"
        made.trust = f"?ssl_ca_certs={certificate}"
        yield made


async def test_everything_goes_over_tls(server, redis_layer, tools):
    """Publish, join, resume and presence, with the certificate checked."""
    one, two = (redis_layer(hosts=[server.secure + server.trust]) for _ in range(2))
    inbox, parts = tools.Inbox(), []
    await two.subscribe(GROUP, inbox, parts.append)
    position = await one.append(GROUP, b"first", History())
    await one.append(GROUP, b"second", History())
    assert await inbox.data(2) == [b"first", b"second"]
    found = await two.read(GROUP, Position(position.epoch, 0), 2)
    assert [publication.data for publication in found] == [b"first", b"second"]
    await one.announce(GROUP, Part("web-1", 1, 0, {}))
    await tools.eventually(lambda: parts)
    assert [part.process for part in await two.presence(GROUP)] == ["web-1"]


async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(server, redis_layer):
    """Without its certificate among the trusted ones there is no layer, whatever answers."""
    layer = redis_layer(hosts=[server.secure])
    async with asyncio.timeout(LIMIT):
        with pytest.raises(Unavailable, match="can't be reached"):
            await layer.publish(GROUP, b"1")


async def test_a_wrong_password_is_told(server, redis_layer):
    """As a server that is not there: whoever publishes learns nothing of accounts."""
    layer = redis_layer(hosts=[server.secure.replace(PASSWORD, "guess") + server.trust])
    async with asyncio.timeout(LIMIT):
        with pytest.raises(Unavailable, match="can't be reached"):
            await layer.publish(GROUP, b"1")
