"""What large tensors cost a process a second time; what becomes of it when its parent ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Pages that the system has to find for 60 tensors of 64 MiB, one after another.
FAULTS = """
import resource, torch
from tastemill.training.process import keep_freed_memory
if {keeps}:
    assert keep_freed_memory()
def met():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(1 << 24)
before = met()
for _ in range(60):
    torch.ones(1 << 24)
print(met() - before)
"""


def faults(*, keeps: bool) -> int:
    """Measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(keeps=keeps)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_freed_memory_is_used_again_without_asking_the_system() -> None:
    """Tensors lie in a few places by turns, each of which the system has to find once."""
    assert faults(keeps=True) < faults(keeps=False) / 4


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = """
import time
from tastemill.training.process import end_with_parent
{asks}
print(flush=True)
time.sleep(60)
"""


def is_there(pid: int) -> bool:
    """Whether a process lives; one that only waits to be noted doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux's")
def test_a_process_ends_with_its_parent() -> None:
    """However that ended."""
    pids = {}
    for asks in ("end_with_parent()", "pass"):
        command = [sys.executable, "-c", PARENT, CHILD.format(asks=asks)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pids[asks] = int(parent.stdout.readline())
            parent.kill()
    until = time.monotonic() + 10
    while is_there(pids["end_with_parent()"]) and time.monotonic() < until:
        time.sleep(0.05)
    try:
        assert {asks: is_there(pid) for asks, pid in pids.items()} == {
            "end_with_parent()": False,
            "pass": True,
        }
    finally:
        os.kill(pids["pass"], signal.SIGKILL)
