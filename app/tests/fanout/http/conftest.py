"""Replicas and clients for the addresses."""

import uuid

import httpx
import pytest

from tests.replicas import LIMIT, folder, start, start_once  # noqa: F401 - fixtures

BASE = "http://localhost"


def client_of(replica, **options):
    """A client of one replica, through its socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(replica.path))
    return httpx.AsyncClient(base_url=BASE, transport=transport, timeout=LIMIT, **options)


@pytest.fixture(scope="module")
def replica(start_once, redis_server):  # noqa: F811 - the fixture
    """One replica for a module: chat, ephemeral `values`, and what nobody registered; trusts one other site."""
    start_once.environment |= {
        "FANOUT_REDIS_URLS": redis_server.url,
        "FANOUT_TRUSTED_ORIGINS": "https://trusted.example",
    }
    return start_once.replica("tests.fanout.values:application")


@pytest.fixture
async def http(replica):
    """A client of the replica."""
    async with client_of(replica) as client:
        yield client


@pytest.fixture
def group():
    """A durable group of this test."""
    return f"chat.{uuid.uuid4().hex[:12]}"
