"""Two replicas behind nginx, with proxies where faults come from outside, and the proof that is run on them."""

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fleet import nginx, packages
from fleet.options import REPOSITORY
from proof.faults.lane import Faults
from proof.faults.pieces import Frames
from proof.faults.proxy import Address, Proxy
from proof.judgement.result import Result
from tests.ports import a_free_port
from tests.redis_servers import RedisServer
from tests.replicas import Process, Starter

SECONDS = 60
"""For a run on a busy machine; usually it takes 10."""
RUN_TIME = 6
USERS = 40
RATE = 40
"""Publications a second: with half of the USERS on each replica some 800 frames a second leave it."""


class Watched(Faults):
    """Faults that tell when so many messages have passed."""

    def __init__(self, after, **values):
        super().__init__(**values)
        self.after, self.reached = after, asyncio.Event()

    def of(self, piece):
        fault = super().of(piece)
        if self.messages >= self.after:
            self.reached.set()
        return fault


class Forger(Frames):
    """Changes one publication in so many on its way."""

    EVERY = 100
    change = (b"", b"")
    """What stands there, and what is put in its place."""
    met = 0

    def feed(self, data):
        return [self._forged(piece) if b'"publication"' in piece.data else piece for piece in super().feed(data)]

    def _forged(self, piece):
        type(self).met += 1
        return piece._replace(data=piece.data.replace(*self.change)) if self.met % self.EVERY == 0 else piece


@dataclass
class Run:
    """What a run of the proof left."""

    code: int
    shown: str
    result: Result

    @property
    def wrong(self):
        """Cells in which anything was lost, doubled or out of order."""
        return {
            (cell.publisher, cell.receiver): cell.count
            for cell in self.result.cells if cell.count.lost or cell.count.doubled or cell.count.disordered
        }  # fmt: skip


@dataclass
class Stack:
    """What runs; web-2 stands behind both proxies, web-1 behind none."""

    folder: Path
    starter: Starter
    redis: RedisServer
    port: int = field(default_factory=a_free_port)
    edge: Process | None = None

    async def close(self):
        """End everything; nginx is asked to, or its workers would stay."""
        if self.edge:
            await asyncio.to_thread(self.edge.stop)
        await asyncio.to_thread(self.starter.close)

    async def start(self, redis_of_web_2):
        """Start the replicas, and nginx before them."""
        (self.folder / "own").mkdir()
        for name, url in (("web-1", self.redis.url), ("web-2", redis_of_web_2)):
            where = self.folder if name == "web-1" else self.folder / "own"
            await asyncio.to_thread(self._replica, name, where, url)
        (self.folder / "temporary").mkdir()
        config = self.folder / "nginx.conf"
        config.write_text(nginx.render(nginx.Edge(
            port=self.port, bind=("127.0.0.1",), sockets=self.folder, static=self.folder, prefix=self.folder,
            pid=self.folder / "nginx.pid", descriptors=1024, connections=512, slots=2, user=nginx.user(),
            access_log=f'"{self.folder}/access.log"',
        )))  # fmt: skip
        self.edge = self.starter.process(packages.require("nginx"), "-e", "stderr", "-p", self.folder, "-c", config)
        async with asyncio.timeout(SECONDS):
            while not await self._listens():  # noqa: ASYNC110 - nginx does not tell
                await asyncio.sleep(0.01)

    def _replica(self, name, folder, url):
        server = self.starter.python(
            "server", "--name", name, "--socket-dir", folder,
            environment={"FANOUT_REDIS_URLS": url, "FANOUT_STATE_DIR": str(self.folder)},
        )  # fmt: skip
        server.said("listens on")

    async def _listens(self):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False

    async def prove(self, *arguments):
        """Run the proof as anybody runs it."""
        report = self.folder / "proof"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "locust", "-f", str(REPOSITORY / "loadtest" / "ws.py"), "--headless",
            "--only-summary", "--loglevel", "ERROR", "--host", f"http://127.0.0.1:{self.port}", "--replicas", "2",
            "--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{RUN_TIME}s", "--rate", str(RATE),
            "--p99", "5000", "--report", str(report), *(arguments or ["BigRoomUser"]),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PROOF_", "LOCUST_"))},
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                shown, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Run(process.returncode, shown.decode(), Result.load(report / "proof.json"))


@contextlib.asynccontextmanager
async def a_stack(folder, starter, redis, *, clients=None, behind=None, redis_url=None, speaks="websocket"):
    """Start a Stack whose web-2 has the faults `clients` before its clients and `behind` before its Redis.

    `redis_url` is another Redis for it, `speaks` how its clients are spoken to. The context's value is the stack and
    the proxy before Redis.
    """
    made = Stack(folder, starter, redis)
    front = Proxy(
        Address.of(str(folder / "web-2.sock")), Address.of(str(folder / "own/web-2.sock")), clients or Faults(), speaks
    )
    back_path = folder / "redis-of-web-2.sock"
    back = Proxy(Address.of(str(back_path)), Address.of(str(redis.path)), behind or Faults(), "redis")
    await back.start()
    try:
        await front.start()
        await made.start(redis_url or f"unix://{back_path}")
        yield made, back
    finally:
        await made.close()
        await front.close()
        await back.close()
