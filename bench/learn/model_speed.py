"""Speed and memory of each model on a core or a GPU: training steps of 32 clips and prediction, bf16 where it is fast.

    python bench/learn/model_speed.py [--models motion conv3d] [--rounds 3] [--device cuda]

Each model runs in a process of its own on random micro clips (30x64x64 colour; LRCN 15x16x16 grey). On a CPU rates are
clips per second of processor time, so that a shared machine counts little, and memory is the peak of the process; on a
GPU they are clips per second by the clock, copying to it included, and memory is the peak of what torch took of it. The
backbone is a ViT-Ti/16 at 224x224 with random weights, its last two blocks learning: speed does not ask for others.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import torch.nn.functional as F

import primatrix as pm
from primatrix.models import Processor, choose_processor, count_at_once

CLIPS = 32
MICRO = pm.ClipSpec(30, 64, 64, "rgb")
VIT_TINY = {"model_type": "vit", "hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3,
            "intermediate_size": 768, "image_size": 224, "patch_size": 16}  # fmt: skip
MODELS = {
    "lrcn": ("lrcn", pm.ClipSpec(15, 16, 16), {}),
    "conv3d": ("conv3d", MICRO, {}),
    "conv3d, one view": ("conv3d", MICRO, {"views_per_axis": 1}),
    "motion": ("motion", MICRO, {}),
    "motion, window": ("motion", MICRO, {"view": "window"}),
    "motion, whole": ("motion", MICRO, {"view": "whole", "training_frames": 12}),
    "motion, place alone": ("motion", MICRO, {"view": "none", "place": True}),
    "backbone, ViT tiny": ("backbone", MICRO, {"config": VIT_TINY, "side_px": 224, "unfrozen_stages": 2}),
}


def count_seconds(processor: Processor) -> float:
    """Processor seconds on a CPU; seconds by the clock on a GPU, once it has done what it was given."""
    if processor.kind == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def peak_gib(processor: Processor) -> float:
    if processor.kind == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return torch.cuda.max_memory_allocated() / 2**30


def measure(name: str, *, rounds: int, processor: Processor) -> dict[str, float]:
    torch.set_num_threads(1)
    architecture, spec, options = MODELS[name]
    model = pm.build_model(architecture, species=pm.BENCHMARK_SPECIES, spec=spec, **options)
    network = model.network.to(processor.torch_device)
    x = torch.randint(0, 256, (count_at_once(processor, spec.shape), *spec.shape), dtype=torch.uint8)
    y = torch.zeros(CLIPS, len(model.species), device=processor.torch_device)

    def train() -> None:
        with processor.autocast():
            logits = network(x[:CLIPS].to(processor.torch_device))
        F.binary_cross_entropy_with_logits(logits.float(), y).backward()

    def predict() -> None:
        with torch.inference_mode(), processor.autocast():
            network(x.to(processor.torch_device))

    rates = {}
    for call, clips in ((predict, len(x)), (train, CLIPS)):
        network.train(call is train)
        call()
        if processor.kind == "cuda":
            torch.cuda.reset_peak_memory_stats()
        began = count_seconds(processor)
        for _ in range(rounds):
            call()
        rates[call.__name__] = rounds * clips / (count_seconds(processor) - began)
        rates[f"{call.__name__}_gib"] = peak_gib(processor)
    rates["parameters"] = sum(p.numel() for p in network.parameters())
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        processor = choose_processor(options.device)
        print(json.dumps(measure(options.models[0], rounds=options.rounds, processor=processor)))
        return
    unit = {"cpu": "core-second", "cuda": "second"}[options.device]
    for name in options.models:
        chosen = ["--models", name, "--rounds", str(options.rounds), "--device", options.device]
        command = [sys.executable, __file__, "--one", *chosen]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{name:18s} {found['parameters']:9,} parameters; clips per {unit}: train {found['train']:6.1f}, "
              f"predict {found['predict']:6.1f}; GiB: train {found['train_gib']:.2f}, "
              f"predict {found['predict_gib']:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
