"""What a machine or a person may do to a replica beside what a client sends: a sentence, or a recovery."""

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tests.replicas import LIMIT, Server

APPLICATION = "scripted:application"
DESCRIPTORS = 48
"""A replica has about 15 of its own; Twisted keeps one of them to turn others away with."""


def refusal(starter, *arguments):
    """Run a replica that can't start; return exit code and the last line of standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "server", APPLICATION, *map(str, arguments)],
        cwd=starter.folder, env=starter.environment, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def eventually(holds):
    """Ask until it holds."""
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def listens(path):
    """Whether somebody takes connections there; a socket is in its folder a moment before."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


# -- places where it can't listen --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "place", "sentence"),
    [
        (
            "--socket-dir",
            "none",
            "The socket folder {}/none can't be used: No such file or directory. Create it first.",
        ),
        ("--socket-dir", "file", "The socket folder {}/file can't be used: Not a directory. Create it first."),
        (
            "-u",
            "none/web-1.sock",
            "The socket folder {}/none can't be used: No such file or directory. Create it first.",
        ),
        ("-u", "file", "{}/file is no socket: move it away, or choose another --name."),
    ],
)
def test_a_place_that_cant_be_used_is_told_in_one_sentence(scripted, option, place, sentence):
    """Exit code 1; what is wrong, and what to do."""
    (scripted.folder / "file").touch()
    code, said = refusal(scripted, option, scripted.folder / place)
    assert (code, said) == (1, f"Cannot start: {sentence.format(scripted.folder)}")


@pytest.mark.parametrize("option", ["--socket-dir", "-u"])
def test_a_path_too_long_for_a_socket_is_told_in_one_sentence(scripted, option):
    """The kernel holds 107 bytes, and its own error names no number."""
    deep = scripted.folder / ("x" * 100)
    deep.mkdir()
    place = deep if option == "--socket-dir" else deep / "web-1.sock"
    code, said = refusal(scripted, option, place)
    path = deep / "web-1.sock"
    size = len(os.fsencode(path))
    assert (code, said) == (
        1,
        f"Cannot start: {path} has {size} bytes, a unix socket's path may have 107: choose a shorter --socket-dir.",
    )


def test_a_folder_where_nothing_can_be_made_is_told(scripted):
    """Also by the kernel, where even root can't write."""
    code, said = refusal(scripted, "--socket-dir", "/proc", "--name", "web-1")
    assert code == 1
    assert "/proc" in said
    assert "can't be written to" in said or "Couldn't listen" in said


# -- no descriptors left -----------------------------------------------------------------------------------


def limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def answer_on(connection):
    """Send a request; return the first bytes of the answer, none if the replica hung up."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(64)
    return b""


async def test_without_descriptors_nobody_gets_in_and_nothing_dies(scripted, script):
    """Who is in goes on, who comes is turned away or waits; with descriptors free it serves as before."""
    replica = scripted.replica(APPLICATION, preexec_fn=limited)
    process = psutil.Process(replica.pid)
    async with asyncio.timeout(LIMIT), replica.websocket(script({"type": "websocket.accept"})) as client:
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                crowd = [stack.enter_context(replica.connection()) for _ in range(2 * DESCRIPTORS)]
                eventually(lambda: process.num_fds() >= DESCRIPTORS - 1)
                await client.send("still here")
                assert await client.recv() == "still here"
                assert answer_on(crowd[0]).startswith(b"HTTP/1.1 200")
                late = stack.enter_context(replica.connection())
                late.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    assert answer_on(late) == b""
                await client.send("and here")
                assert await client.recv() == "and here"
            eventually(lambda: replica_answers(replica))
    assert replica.stop() == 0
    assert "Traceback" not in replica.log


def replica_answers(replica):
    with replica.connection() as connection:
        return answer_on(connection).startswith(b"HTTP/1.1 200")


def test_out_of_descriptors_it_does_not_burn_the_processor(scripted):
    """A listener that can't accept stays readable: the loop must not spin on it."""
    replica = scripted.replica(APPLICATION, preexec_fn=limited)
    process = psutil.Process(replica.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * DESCRIPTORS):
            stack.enter_context(replica.connection())
        eventually(lambda: process.num_fds() >= DESCRIPTORS - 1)
        before = sum(process.cpu_times()[:2])
        time.sleep(1)
        assert sum(process.cpu_times()[:2]) - before < 0.5


# -- a full disk -------------------------------------------------------------------------------------------


async def test_logs_that_cant_be_written_stop_nothing(scripted, script):
    """Requests, sockets and the drain go on when standard error is on a full disk."""
    command = [sys.executable, "-m", "server", APPLICATION, "--name", "web-1", "--socket-dir", str(scripted.folder)]
    replica = scripted.process("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *command, kind=Server, output="stdout")
    replica.path = scripted.folder / "web-1.sock"
    eventually(lambda: listens(replica.path))  # its log does not say so
    async with asyncio.timeout(LIMIT), replica.websocket("/hub") as client:
        await client.send(repr(("until", 1)))
        assert await client.recv() == "done"
        replica.signal(15)
        await client.wait_closed()
        assert client.close_code == 1012
    assert replica.wait() == 0
