"""The Python client with a real fleet behind a real nginx, while replicas come and go."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest

from fanout.client import Joined, Publication, connect
from fleet.options import REPOSITORY
from tests.fleets import clean_environment

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GROUP = "chat.python"
CLIENTS = 12
SECONDS = 60
README = (REPOSITORY / "app" / "fanout" / "README.md").read_text(encoding="utf-8")


async def listen(client, last):
    """Return the numbers that arrive, up to the last one; anything but publications and joins fails."""
    heard = []
    while last not in heard[-1:]:
        event = await anext(client)
        assert isinstance(event, Publication | Joined), event
        if isinstance(event, Publication):
            heard.append(int(event.data["message"]))
    return heard


async def publish(client, count, pause):
    """Publish numbers, one after the other."""
    for number in range(count):
        await client.publish(GROUP, {"message": str(number)})
        await asyncio.sleep(pause)


async def test_nobody_misses_anything_while_replicas_die_and_restart(own_fleet):
    """One publishes, twelve listen; a replica is killed, then all are restarted: each number once and in order."""
    url, count = f"{own_fleet.ws_url}/ws/", 600
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(SECONDS):
        clients = [await stack.enter_async_context(connect(url, [GROUP], proxy=None)) for _ in range(CLIENTS)]
        publisher = await stack.enter_async_context(connect(url, proxy=None))
        assert {client.replica for client in clients} == set(own_fleet.names)
        listening = [asyncio.create_task(listen(client, count - 1)) for client in clients]
        publishing = asyncio.create_task(publish(publisher, count, 0.01))
        os.kill(own_fleet.pid("web-2"), signal.SIGKILL)
        await asyncio.to_thread(own_fleet.make, "restart")
        await publishing
        assert await asyncio.gather(*listening) == [list(range(count))] * CLIENTS
    assert {client._core._line.connection > 1 for client in clients} == {True}


def test_the_shell_and_the_program_of_the_readme(own_fleet):
    """`manage.py publish` prints a position; the program publishes, and prints both messages."""
    (line,) = re.findall(r"^FANOUT_REDIS_URLS=.* publish .*$", README, re.MULTILINE)
    line = line.replace("$PWD/.run", str(own_fleet.run_dir)).replace(".venv/bin/python", sys.executable)
    environment = {**clean_environment(), "PYTHONPATH": str(REPOSITORY / "app"), "PYTHONUNBUFFERED": "1"}
    line = ["bash", "-c", line]
    said = subprocess.run(line, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"[0-9a-z]+:\d+\n", said.stdout)
    (program,) = [
        text for text in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "asyncio.run" in text
    ]
    program = program.replace("localhost:8080", f"127.0.0.1:{own_fleet.port}")
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            heard = [running.stdout.readline().strip() for _ in range(2)]
        finally:
            running.kill()
    assert heard == ["hi", "hello from Python"]
