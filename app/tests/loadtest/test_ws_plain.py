"""The proof of a consumer that is none of ours: all that it needs is a room that sends to everybody."""

import asyncio

import pytest

from tests.loadtest.locusts import run
from tests.loadtest.rooms import a_room

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


async def prove(tmp_path, host, run_time="4s"):
    """Run plain clients alone, on any path."""
    words = ("--users", 12, "--spawn-rate", 12, "--run-time", run_time, "--settle", 2, "--p99", 10_000, "--host", host)
    return await asyncio.to_thread(run, tmp_path, *words, "--plain-path", "/rooms/{room}", "PlainUser")


async def test_a_room_of_anybodys_consumer_is_proved(tmp_path):
    """It knows nothing of the proof but its messages."""
    async with a_room() as (room, host):
        done = await prove(tmp_path, host)
    assert done.code == 0, done.said
    assert done.result["cells"][0]["count"]["received"] == 12 * room.heard > 0


async def test_what_the_room_swallows_is_missed(tmp_path):
    """Nobody got it, its sender neither: that it has not come back to who sent it breaks the proof."""
    async with a_room(swallows=10) as (room, host):
        done = await prove(tmp_path, host)
    assert done.code == 1, done.said
    assert f"{room.heard // 10} publications on web-1 were not answered to the end" in done.result["sentence"]


async def test_who_is_turned_away_with_the_handshakes_answer_comes_again(tmp_path):
    """Nothing is expected on a connection that ended as it began."""
    async with a_room(turns_away=10) as (room, host):
        done = await prove(tmp_path, host, "10s")  # each comes back after some seconds
    assert room.turned_away == 10
    assert done.code == 0, done.said


async def test_a_room_without_an_echo_can_not_be_proved(tmp_path):
    """Nobody knows what was taken: the test is invalid, and the sentence says what it asks for."""
    async with a_room(echoes=False) as (_, host):
        done = await prove(tmp_path, host)
    assert done.code == 2, done.said
    assert "was acknowledged" in done.result["sentence"]
    assert "came back to it as its own publication" in done.result["sentence"]
