"""ASGI's lifespan in real server processes."""

import pytest

SOURCE = """
import sys

def say(line):
    print(line, file=sys.stderr, flush=True)

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})
"""
STARTED = """
async def lifespan(scope, receive, send):
    say((await receive())["type"] + " of " + scope["extensions"]["fanout.replica"]["name"])
    await send({"type": "lifespan.startup.complete"})
"""
WHOLE = f"""{STARTED}
    say((await receive())["type"])
    await send({{"type": "lifespan.shutdown.complete"}})
    say("complete")
"""


@pytest.fixture
def replica(start):
    """Start a replica with this lifespan."""

    def made(source):
        (start.folder / "lived.py").write_text(SOURCE + source)
        return start.replica("lived:application")

    return made


def test_the_application_sees_its_start_and_its_end(replica):
    """Both events, with the replica's extensions in the scope; the exit waits for the answer."""
    server = replica(WHOLE)
    server.said("^lifespan.startup of web-1$")
    assert server.get()[0] == 204
    assert server.stop() == 0
    server.said("^lifespan.shutdown$")
    server.said("^complete$")


@pytest.mark.parametrize("how", ["raise ValueError('no lifespan here')", "return", "assert False"])
def test_an_application_without_lifespan_is_left_alone(replica, how):
    """It is served as ever; whatever it says to a scope it does not know is no failure."""
    server = replica(f"async def lifespan(scope, receive, send):\n    {how}\n")
    assert server.get()[0] == 204
    assert server.stop() == 0
    assert "ERROR" not in server.log
    assert "Traceback" not in server.log


def test_a_failing_start_is_logged(replica):
    """With the application's own words; connections are served, since readiness is a matter of its own."""
    server = replica("""
async def lifespan(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the cache is cold"})
""")
    server.said("ERROR.*the application's start failed: the cache is cold")
    assert server.get()[0] == 204
    assert server.stop() == 0


def test_an_end_that_fails_is_logged(replica):
    """The exit does not wait any longer."""
    server = replica(f"""{STARTED}
    await receive()
    await send({{"type": "lifespan.shutdown.failed", "message": "the cache is full"}})
    await receive()
""")
    assert server.get()[0] == 204
    assert server.stop() == 0
    server.said("ERROR.*the application's end failed: the cache is full")


def test_a_crash_after_the_start_is_logged_with_its_traceback(replica):
    """What has started does know lifespan: its exception is no refusal."""
    server = replica(f"""{STARTED}
    raise RuntimeError("the cache is gone")
""")
    server.said("ERROR.*lifespan")
    server.said("^RuntimeError: the cache is gone")
    assert server.get()[0] == 204
    assert server.stop() == 0


def test_an_application_that_does_not_end_is_given_up(replica):
    """The wait is bounded."""
    server = replica(f"""
import server.lifespan
server.lifespan.SHUTDOWN_LIMIT = 0.1
{STARTED}
    await receive()
    await receive()
""")
    assert server.get()[0] == 204
    assert server.stop() == 0
    server.said(r"WARNING.*the application did not end within 0\.1 s")
