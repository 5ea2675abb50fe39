import os
import resource
import signal
import subprocess
import sys
import time

import psutil
import pytest

from bench import cli
from bench.parts import EXPERIMENTS, PARTS
from fleet.options import REPOSITORY

COMMAND = [sys.executable, "-m", "bench", "--only", "delivery", "--without-others"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("deploy", "loadtest", "app")),
}
SECONDS = 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "nonsense"], "nonsense"),
        (["--repeats", "0"], "0 is not a positive whole number"),
        (["--repeats", "many"], "many is not a positive whole number"),
        (["--what"], "--what"),
        (["everything"], "everything"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_parts(capsys, arguments, told):
    """Exit code 2, nothing on standard output, and what could have been meant."""
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert all(part in shown.err for part in (*PARTS, *EXPERIMENTS))
    assert shown.err.count("\n") == 1


def test_too_few_descriptors_are_told():
    """Ten thousand sockets need them; the sentence says how many there are and how to have more."""
    done = subprocess.run(
        COMMAND, env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "may open 1,000 files" in done.stderr
    assert "ulimit -Hn" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_program_is_told(monkeypatch, capsys):
    """The package to install is named."""
    monkeypatch.setattr("fleet.packages.find", lambda _: None)
    assert cli.main(["--quick"]) == 2
    assert "nginx is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
@pytest.mark.slow
def test_an_end_in_the_middle_leaves_no_server(number, code):
    """Redis and the measured server end with the benchmark, however that ends."""
    started = subprocess.Popen(COMMAND, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        servers = _servers(started)
        started.send_signal(number)
        assert started.wait(SECONDS) == code
        _, alive = psutil.wait_procs(servers, timeout=SECONDS)
        assert not alive
    finally:
        started.kill()
        started.wait()


def _servers(started):
    """Wait until Redis and a server run; return them."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        servers = psutil.Process(started.pid).children(recursive=True)
        if len(servers) >= 2:
            return servers
        time.sleep(0.02)
    raise AssertionError("no servers were started")
