"""How many clips a second are looked at through an encoder, and how far processors agree.

    python bench/learn/features_speed.py [--clips 64] [--rounds 5]

Clips of ten pictures of noise that differ, as a linear probe takes them. For each processor and precision that there is
here: clips a second (median of the rounds, after one to warm up), and the largest difference of features from those of
the CPU in fp32, beside the largest feature.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch

import primatrix as pm
from primatrix.models import Features, Processor, choose_processor


def list_processors() -> list[Processor]:
    kinds = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return [choose_processor(kind, precision=p) for kind in kinds for p in ("fp32", "bf16")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    wanted = pm.look_closely()
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (args.clips, *wanted.spec.shape), np.uint8)
    reference = None
    for processor in list_processors():
        features = Features(wanted.spec, wanted.facts, processor=processor)
        few = args.clips if processor.kind != "cpu" else min(args.clips, 8)
        seen = features.encode(frames[:few], None).astype(np.float32)
        reference = seen if reference is None else reference
        took = []
        for _ in range(args.rounds):
            began = time.perf_counter()
            features.encode(frames[:few], None)
            took.append(time.perf_counter() - began)
        apart = float(np.abs(seen[: len(reference)] - reference[: len(seen)]).max())
        print(json.dumps({
            "processor": processor.description, "clips_per_second": round(few / statistics.median(took), 1),
            "largest_difference": round(apart, 4), "largest_feature": round(float(reference.max()), 2),
        }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
