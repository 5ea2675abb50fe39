"""The worker: what it runs, what it says of it, and how it ends; jobs of this process and real workers."""

import asyncio
import signal
import sys

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from prometheus_client.parser import text_string_to_metric_families

from fanout import jobs
from fanout.jobs import Periodic
from fanout.status_socket import answer
from fanout.worker import LATE, Worker, made
from fleet.unix import get_json
from tests.ports import a_free_port
from tests.redis_servers import eventually
from tests.replicas import APP, folder, start  # noqa: F401 - fixtures

LIMIT = 5


class Numbers(Periodic):
    """A job with a lag."""

    lag = 0.0

    def status(self):
        return {"lag": self.lag}


class Runs:
    """What a job did: counts its runs, and fails as it is told."""

    def __init__(self, worker=None):
        self.count = 0
        self.error = None
        self._again = asyncio.Event()

    async def __call__(self):
        self.count += 1
        self._again.set()
        if self.error:
            raise self.error

    async def next(self):
        """Wait for one more run, and until it is through."""
        async with asyncio.timeout(LIMIT):
            self._again.clear()
            await self._again.wait()
            await asyncio.sleep(0)


@pytest.fixture
async def working():
    """Run a worker of some jobs for a test."""
    tasks = []

    def begin(**jobs):
        worker = Worker(jobs)
        tasks.append((worker, asyncio.create_task(worker.run())))
        return worker

    yield begin
    for worker, task in tasks:
        worker.stop()
        async with asyncio.timeout(LIMIT):
            await task


async def test_each_job_runs_again_and_again(working):
    """Each at its own pace, from the start."""
    often, seldom = Runs(), Runs()
    worker = working(often=Periodic(often, 0.001), seldom=Periodic(seldom, 3600))
    assert worker.status()["status"] == "starting"
    for _ in range(3):
        await often.next()
    assert seldom.count == 1
    assert worker.status()["status"] == "ready"
    assert worker.status()["checks"] == {"often": "ok", "seldom": "ok"}


async def test_a_job_that_fails_is_tried_again_and_keeps_no_other(working, monkeypatch, caplog):
    """The worker is degraded then and says why, once; when it works again, it is well."""
    monkeypatch.setattr("fanout.worker.RETRY", 0.001)
    fails, works = Runs(), Runs()
    worker = working(fails=Periodic(fails, 0.001), works=Periodic(works, 0.001))
    await fails.next()
    fails.error = ValueError("no paper\nand more")
    for _ in range(3):
        await fails.next()
    await works.next()
    assert worker.status()["status"] == "degraded"
    assert worker.status()["checks"] == {"fails": "no paper", "works": "ok"}
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "fails: can't work, trying until it can: no paper"
    ]
    fails.error = None
    await fails.next()
    await fails.next()
    assert worker.status()["status"] == "ready"


async def test_a_job_that_is_behind_is_not_well(working):
    """Past the promised seconds it is told how far."""
    runs = Runs()
    job = Numbers(runs, 0.001)
    worker = working(numbers=job)
    await runs.next()
    job.lag = LATE + 4
    status = worker.status()
    assert (status["status"], status["checks"], status["jobs"]) == (
        "degraded", {"numbers": "9 s behind"}, {"numbers": {"lag": 9.0}},
    )  # fmt: skip


async def test_the_end_cuts_off_what_runs():
    """A job that never comes to its end does not hold up the worker's."""
    worker = Worker({"stuck": Periodic(asyncio.Event().wait, 1)})
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    worker.stop()
    async with asyncio.timeout(LIMIT):
        await task


def test_a_job_that_cannot_begin_is_named():
    """With its reason."""

    def make():
        raise ImproperlyConfigured("There is no oven.")

    with pytest.raises(ImproperlyConfigured, match=r"The job bread can't begin: There is no oven\."):
        made({"bread": make})


def test_jobs_are_registered_by_name(monkeypatch):
    """A later one of the same name replaces it."""
    monkeypatch.setattr(jobs, "_jobs", {})
    jobs.register("a", int)
    jobs.register("a", str)
    assert jobs.registered() == {"a": str}


# -- real processes --------------------------------------------------------------------------------------------


@pytest.fixture
def start_worker(start, own_redis):  # noqa: F811 - the fixture
    """Start `manage.py worker` on a Redis and a database file."""
    start.environment |= {"FANOUT_REDIS_URLS": own_redis.url}
    assert start.process(sys.executable, APP / "manage.py", "migrate", "--verbosity", "0").wait() == 0

    def begin(*arguments):
        return start.process(sys.executable, APP / "manage.py", "worker", *arguments)

    return begin


def test_a_worker_says_how_it_does_and_ends_when_it_is_told(start_worker, folder, own_redis):  # noqa: F811
    """Over its socket, with its process id in a file; SIGTERM ends it with 0 and leaves neither."""
    path, pid = folder / "w.sock", folder / "w.pid"
    worker = start_worker("--socket", path, "--pid-file", pid)
    eventually(lambda: (get_json(path, "/readyz") or {}).get("status") == "ready", "it is ready")
    assert get_json(path, "/healthz") == {"status": "ok"}
    assert get_json(path, "/secrets") == {"status": "nothing is here but /healthz, /metrics and /readyz"}
    assert int(pid.read_text()) == worker.pid
    assert oct(path.stat().st_mode & 0o777) == "0o660"
    own_redis.kill()
    eventually(lambda: (get_json(path, "/readyz") or {}).get("status") == "degraded", "it says that Redis is away")
    own_redis.start()
    eventually(lambda: (get_json(path, "/readyz") or {}).get("status") == "ready", "it goes on by itself")
    assert worker.stop() == 0, worker.log
    assert not path.exists()
    assert not pid.exists()
    assert "Traceback" not in worker.log


def test_a_socket_that_a_killed_worker_left_is_taken_over(start_worker, folder):  # noqa: F811 - the fixture
    """That of a living one is not."""
    path = folder / "w.sock"
    first = start_worker("--socket", path)
    first.said("works at archive")
    second = start_worker("--socket", path)
    assert second.wait() == 1
    assert second.lines == [f"CommandError: another worker listens on {path}: end it, or give another --socket"]
    first.signal(signal.SIGKILL)
    first.wait()
    third = start_worker("--socket", path)
    eventually(lambda: get_json(path, "/readyz") is not None, "the third answers")
    assert third.stop() == 0


def test_prometheus_in_another_container_asks_at_a_port(start_worker, folder):  # noqa: F811 - the fixture
    """For metrics and for nothing else; a port that is taken is a sentence."""
    port = a_free_port()
    worker = start_worker("--socket", folder / "w.sock", "--metrics-port", port)
    worker.said("works at archive")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as prometheus:
        eventually(lambda: 'fanout_task_ok{task="archive"} 1\n' in prometheus.get("/metrics").text, "it does well")
        refused = prometheus.get("/readyz")
    assert (refused.status_code, refused.json()) == (404, {"status": "nothing is here but /metrics"})
    second = start_worker("--metrics-port", port)
    assert second.wait() == 1
    assert second.lines == [f"CommandError: port {port}: it is taken: give another --metrics-port"]
    assert worker.stop() == 0, worker.log
    assert "Traceback" not in worker.log


def test_a_layer_in_memory_is_refused(start_worker, start):  # noqa: F811 - the fixture
    """One sentence, exit code 1."""
    del start.environment["FANOUT_REDIS_URLS"]
    worker = start_worker()
    assert worker.wait() == 1
    reason = "The archive copies what is in Redis, and the channel layer is in memory."
    assert worker.lines == [f"CommandError: The job archive can't begin: {reason}"]


def test_a_database_without_tables_is_told(start_worker, folder, start):  # noqa: F811 - the fixture
    """The worker waits until somebody has migrated it, and says so."""
    start.environment["FANOUT_DATABASE"] = f"sqlite://{folder}/empty.sqlite3"
    worker = start_worker("--socket", folder / "w.sock")
    worker.said(
        "archive: can't work, trying until it can: the database lacks the archive's tables: run manage.py migrate"
    )
    assert start.process(sys.executable, APP / "manage.py", "migrate", "--verbosity", "0").wait() == 0
    eventually(lambda: (get_json(folder / "w.sock", "/readyz") or {}).get("status") == "ready", "it goes on")


def test_prometheus_can_ask_how_the_jobs_do():
    """A gauge for each job, for how long its work has waited and what was lost where it says so; all of it parses."""
    said = {
        "status": "ready",
        "checks": {"archive": "ok", "tidy": "3 s behind"},
        "jobs": {"archive": {"lag": 0.5, "lost": 7}, "tidy": {}},
    }
    head, _, body = answer(b"GET /metrics HTTP/1.1\r\n\r\n", lambda: said).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n")
    samples = {(s.name, *s.labels.values()): s.value for f in text_string_to_metric_families(body) for s in f.samples}
    assert samples == {
        ("fanout_task_ok", "archive"): 1,
        ("fanout_task_ok", "tidy"): 0,
        ("fanout_task_lag_seconds", "archive"): 0.5,
        ("fanout_task_lost_total", "archive"): 7,
    }
