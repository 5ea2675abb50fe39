import os
import subprocess
import sys
import time

import pytest

from bench import machine
from bench.machine import Others, facts
from bench.meter import Meter

CHILD = "import sys; kept = bytearray(b'x') * (50 << 20); print('up', flush=True); sys.stdin.read()"
WORKER = f"""
import subprocess, sys, time
while time.process_time() < 0.3: pass
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
child.wait()
"""


@pytest.fixture
def worker():
    """A process that has used 0.3 s of CPU, and its child that holds 50 MiB."""
    started = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdout.readline() == b"up\n"
    yield started
    started.communicate(timeout=20)


def test_cpu_and_memory_of_the_whole_tree_count(worker):
    """A server that works in a child process hides nothing there."""
    meter = Meter(worker.pid)
    assert 0.3 <= meter.cpu() < 5
    assert meter.memory() > 50 << 20


def test_what_others_read_too_moves_no_memory(tmp_path):
    """A file that is mapped, as libraries are, is nobody's own: a second reader changes nothing."""
    (tmp_path / "library").write_bytes(b"x" * (20 << 20))
    code = """
import mmap, sys
with open(sys.argv[1]) as file:
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(pages[::4096])
print("up", flush=True)
sys.stdin.read()
"""
    readers, found = [], []
    for _ in range(2):
        command = [sys.executable, "-c", code, str(tmp_path / "library")]
        readers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert readers[-1].stdout.readline() == b"up\n"
        found.append(Meter(readers[0].pid).memory())
    for reader in readers:
        reader.communicate(timeout=20)
    assert abs(found[1] - found[0]) < 1 << 20


def test_a_settled_process_uses_nothing(worker):
    """`settle` returns when nothing is left to do."""
    meter = Meter(worker.pid)
    meter.settle()
    before = meter.cpu()
    meter.settle()
    assert meter.cpu() - before < 0.05


def test_the_machine_is_described():
    """What a reader needs to compare figures of two machines is there."""
    assert {"processor", "cores", "kernel", "python", "nginx", "redis", "daphne"} <= set(facts())


def test_what_others_use_is_told_from_our_own():
    """What a process that has not been waited for uses is others' use; once it has ended as our child, it is ours."""
    watched, began = Others.watch(), time.monotonic()
    started = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdout.readline() == b"up\n"
    own = machine._own()
    assert watched.share * (time.monotonic() - began) * os.cpu_count() >= 0.25
    started.communicate(timeout=20)
    assert machine._own() - own >= 0.3
