"""What augmentation costs beside a training step.

    python bench/learn/augmentation_cost.py

In CPU time per clip on one thread, so that other work on the machine does not count.
"""

import time

import numpy as np
import torch

from primatrix import ClipSpec, TrainSpec, build_model
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.training import augment_clips, clip_loss

CLIPS, REPEATS = 8, 4


def main() -> None:
    torch.set_num_threads(1)
    augmentation = TrainSpec.for_model("motion").augmentation
    assert augmentation is not None
    print(f"torch {torch.__version__}, 1 thread, batches of {CLIPS}, {REPEATS} repeats, {augmentation}")
    print("clips (T, H, W, C)   augment ms/clip   step of motion ms/clip   share of both")
    for spec in (ClipSpec(15, 16, 16), ClipSpec(30, 64, 64, "rgb"), ClipSpec(16, 180, 240, "rgb")):
        x = np.random.default_rng(0).integers(0, 256, (CLIPS, *spec.shape), np.uint8)
        y = torch.zeros(CLIPS, len(BENCHMARK_SPECIES))
        network = build_model("motion", species=BENCHMARK_SPECIES, spec=spec).network.train()
        augment_clips(x, augmentation=augmentation, seed=0, step=0)
        clip_loss(y, network(torch.from_numpy(x))).backward()  # type: ignore[no-untyped-call]
        began = time.process_time()
        for step in range(REPEATS):
            augment_clips(x, augmentation=augmentation, seed=0, step=step)
        between = time.process_time()
        for _ in range(REPEATS):
            clip_loss(y, network(torch.from_numpy(x))).backward()  # type: ignore[no-untyped-call]
        ended = time.process_time()
        per_clip = 1000 / (REPEATS * CLIPS)
        augment, learn = (between - began) * per_clip, (ended - between) * per_clip
        print(f"{spec.shape!s:<20} {augment:>15.2f} {learn:>24.1f} {augment / (augment + learn):>14.1%}")


if __name__ == "__main__":
    main()
