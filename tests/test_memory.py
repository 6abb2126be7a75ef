import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from primatrix.memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    frames = [np.ones(12 << 20, np.uint8) for _ in range(5)]
    del frames
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def count_faults(how: str) -> int:
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's allocator is told")
def test_freed_arrays_are_used_again_without_being_cleared() -> None:
    """Pages that the system has to clear anew are counted by it as minor faults."""
    assert count_faults("kept") * 10 < count_faults("given back")
