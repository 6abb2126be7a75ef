"""Clips per second and core of the simulator, drawing, encoding and writing included.

    python bench/scale/simulate_speed.py

One process, sizes in turn, three rounds, medians. Wall-clock time suffers from what else runs; CPU time less so.
"""

import statistics
import tempfile
import time
from pathlib import Path

from primatrix.simulation import SimulationSpec, simulate

CLIPS = {"nano": 300, "micro": 100, "raw": 1}
ROUNDS = 3


def main() -> None:
    rates: dict[str, list[tuple[float, float]]] = {size: [] for size in CLIPS}
    for seed in range(ROUNDS):
        for size, clips in CLIPS.items():
            spec = SimulationSpec(train_clips=clips - 1 or 1, test_clips=1 if clips > 1 else 0, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                wall, cpu = time.perf_counter(), time.process_time()
                simulate(Path(folder), spec=spec, sizes=[size], workers=1)
                rates[size].append(
                    (clips / (time.perf_counter() - wall), clips / (time.process_time() - cpu))
                )
    for size, pairs in rates.items():
        wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{size:<6} {wall:8.2f} clips/s wall clock  {cpu:8.2f} clips/s of CPU time")


if __name__ == "__main__":
    main()
