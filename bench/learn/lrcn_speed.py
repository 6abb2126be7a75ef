"""Clips per second of LRCN in training and prediction, in every configuration, in interleaved rounds.

    python bench/learn/lrcn_speed.py [--rounds 7] [--compile]

Prints a table: median and best of the rounds. Other work on the machine lowers all rows alike, so ratios hold.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from primatrix import ClipSpec
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import Model, Processor, build_model, choose_processor, predict_batches
from primatrix.training import KerasRMSprop

SPEC = ClipSpec(15, 16, 16)
BATCH = 32
Job = Callable[[], int]


def make_model(*, channels_last: bool = True) -> Model:
    model = build_model("lrcn", species=BENCHMARK_SPECIES, spec=SPEC, input_scale=1 / 255)
    if not channels_last:
        model.network.to(memory_format=torch.contiguous_format)
    return model


def draw(clips: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (clips, *SPEC.shape), np.uint8)


def training_job(processor: Processor, *, channels_last: bool = True, compiled: bool = False) -> Job:
    """Steps on one batch, as `train` makes them."""
    network = make_model(channels_last=channels_last).network.to(processor.torch_device).train()
    call = torch.compile(network) if compiled else network
    optimiser = KerasRMSprop(network.parameters())
    x = torch.from_numpy(draw(BATCH))
    y = (torch.rand(BATCH, len(BENCHMARK_SPECIES)) < 0.05).float().to(processor.torch_device)

    def step() -> int:
        with processor.autocast():
            logits = call(x.to(processor.torch_device))
        loss = F.binary_cross_entropy_with_logits(logits.float(), y)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        loss.item()
        return BATCH

    return step


def plain_prediction_job(processor: Processor, *, batch: int) -> Job:
    """One forward pass of a whole batch with torch's own max-pooling: what was there before tuning."""
    network = make_model().network.eval().requires_grad_(False).to(processor.torch_device)
    x = torch.from_numpy(draw(batch))

    def predict() -> int:
        with processor.autocast():  # no no_grad(): with gradients on, max_pool2d is used
            network(x.to(processor.torch_device)).float().sigmoid().cpu()
        return batch

    return predict


def prediction_job(processor: Processor, *, batch: int, compiled: bool = False) -> Job:
    """`predict_batches` over 128 clips or one batch, whichever is more."""
    model, x = make_model(), draw(batch)
    repeats = max(1, 128 // batch)
    choice = "on" if compiled else "off"

    def predict() -> int:
        words = {"device": processor.kind, "precision": processor.precision}
        return sum(len(p) for p in predict_batches(model, [x] * repeats, compile=choice, **words))

    return predict


def list_jobs(processor: Processor, *, compiled: bool) -> dict[str, Job]:
    full, half = Processor(processor.kind, "fp32"), Processor(processor.kind, "bf16")
    jobs = {
        "train, fp32": training_job(full, channels_last=False),
        "train, fp32, channels_last": training_job(full),
        "train, bf16": training_job(half, channels_last=False),
        "train, bf16, channels_last (used)": training_job(half),
        "predict, fp32, plain, 32": plain_prediction_job(full, batch=32),
        "predict, bf16, plain, 32": plain_prediction_job(half, batch=32),
        "predict, bf16, plain, 512": plain_prediction_job(half, batch=512),
        "predict, fp32, 32": prediction_job(full, batch=32),
        "predict, bf16, 8": prediction_job(half, batch=8),
        "predict, bf16, 32 (used)": prediction_job(half, batch=32),
        "predict, bf16, 512 in pieces of 32": prediction_job(half, batch=512),
    }
    if compiled:
        jobs |= {
            "train, fp32, channels_last, compiled": training_job(full, compiled=True),
            "train, bf16, channels_last, compiled": training_job(half, compiled=True),
            "predict, bf16, 32, compiled": prediction_job(half, batch=32, compiled=True),
        }
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    options = parser.parse_args()
    processor = choose_processor()
    print(f"{platform.processor() or platform.machine()}: {processor.description}, torch {torch.__version__}")
    jobs = list_jobs(processor, compiled=options.compile)
    for name, job in jobs.items():
        started = time.perf_counter()
        job()
        if "compiled" in name:
            print(f"  first call of '{name}': {time.perf_counter() - started:.1f} s")
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        for name, job in jobs.items():
            started = time.perf_counter()
            rates[name].append(job() / (time.perf_counter() - started))
    for name, values in rates.items():
        print(f"{name:<40} median {statistics.median(values):6.0f}   best {max(values):6.0f} clips/s")


if __name__ == "__main__":
    main()
