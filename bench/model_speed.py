"""Speed and memory of each model on one core: training steps of 32 clips and prediction, bf16 where it is fast.

    .venv/bin/python bench/model_speed.py [--models motion conv3d] [--rounds 3]

Each model runs in a process of its own on random micro clips (30x64x64 colour; LRCN 15x16x16 grey). Rates are
clips per second of processor time, so that a shared machine counts little; memory is the peak of the process. The
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
from primatrix.devices import choose_device

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


def measure(name: str, *, rounds: int) -> dict[str, float]:
    torch.set_num_threads(1)
    architecture, spec, options = MODELS[name]
    model = pm.build_model(architecture, species=pm.BENCHMARK_SPECIES, spec=spec, **options)
    network, device = model.network, choose_device("cpu")
    x = torch.randint(0, 256, (CLIPS, *spec.shape), dtype=torch.uint8)
    y = torch.zeros(CLIPS, len(model.species))

    def train() -> None:
        with device.autocast():
            logits = network(x)
        F.binary_cross_entropy_with_logits(logits.float(), y).backward()

    def predict() -> None:
        with torch.inference_mode(), device.autocast():
            network(x)

    rates = {}
    for call in (predict, train):
        network.train(call is train)
        call()
        began = time.process_time()
        for _ in range(rounds):
            call()
        rates[call.__name__] = rounds * CLIPS / (time.process_time() - began)
        rates[f"{call.__name__}_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rates["parameters"] = sum(p.numel() for p in network.parameters())
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.models[0], rounds=options.rounds)))
        return
    for name in options.models:
        command = [sys.executable, __file__, "--one", "--models", name, "--rounds", str(options.rounds)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{name:18s} {found['parameters']:9,} parameters; clips per core-second: train {found['train']:6.1f}, "
              f"predict {found['predict']:6.1f}; GiB: train {found['train_gib']:.2f}, "
              f"predict {found['predict_gib']:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
