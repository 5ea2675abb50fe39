"""Ctrl-C, where it arrives."""

import signal
import subprocess
import sys

from fleet.options import REPOSITORY

AT_WORK = """
import gevent, time
from proof.generator.interrupt import await_ctrl_c
await_ctrl_c()

def work():
    print("at work", flush=True)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
    done.append(True)
    gevent.sleep(60)

done = []
worker = gevent.spawn(work)
try:
    worker.join()
except KeyboardInterrupt:
    print("main told", "worker lives" if done and not worker.dead else "worker died")
"""


def test_ctrl_c_reaches_the_main_greenlet_and_spares_the_one_at_work():
    """A greenlet that hears the master's questions must not die of it, or the master waits for its answers."""
    program = subprocess.Popen(
        [sys.executable, "-c", AT_WORK], cwd=REPOSITORY / "loadtest", stdout=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout.readline() == "at work\n"
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=30)[0] == "main told worker lives\n"
    assert program.returncode == 0
