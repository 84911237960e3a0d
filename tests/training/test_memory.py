"""What large tensors cost a process a second time."""

import subprocess
import sys

import pytest

# Pages that the system has to find for 60 tensors of 64 MiB, one after another.
FAULTS = """
import resource, torch
from tastemill.training.memory import keep_freed_memory
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
