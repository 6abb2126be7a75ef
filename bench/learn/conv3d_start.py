"""When `conv3d` begins to learn: its loss less that of the class frequencies on the very same batches.

    python bench/learn/conv3d_start.py [--rate 1e-4] [--difference] [--steps 1000] [--threads 1]

On the training clips of bench/learn/ladder.py, which makes them where they are not there yet. AdamW without decay, the
rate constant, the head's bias at the class frequencies, so that it begins where it would else first have to get. The
difference takes away most of the noise of a batch: 0.0002 can be seen where losses themselves differ by 0.005.
"""

import argparse
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import ladder
import primatrix as pm
from primatrix.models import choose_processor

SHOWN_EVERY = 25


def start(model: pm.Model, data: pm.Dataset, *, rate: float, steps: int) -> None:
    """Train and print, every 25 steps, the mean difference and how far logits of a batch's clips are apart."""
    frequencies = torch.tensor(pm.class_frequencies(data.y_train).to_numpy(), dtype=torch.float32)
    network = model.network.train()
    with torch.no_grad():
        network.head.bias.copy_(frequencies.logit())
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0)
    differences, spreads = [], []
    for step, (x, labels) in zip(range(1, steps + 1), data.batches(), strict=False):
        y = torch.tensor(labels, dtype=torch.float32)
        with choose_processor("cpu").autocast():
            logits = network(torch.tensor(x)).float()
        loss = F.binary_cross_entropy_with_logits(logits, y)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        differences.append(loss.item() - F.binary_cross_entropy(frequencies.expand_as(y), y).item())
        spreads.append(logits.detach().std(0).mean().item())
        if step % SHOWN_EVERY == 0:
            less, apart = (np.mean(part[-SHOWN_EVERY:]) for part in (differences, spreads))
            print(f"step {step}: {less:+.5f}, spread {apart:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ladder.WORK / "data")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--difference", action="store_true", help="conv3d's option")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ladder.prepare(options.data, seed=11)
    rung = ladder.RUNGS["conv3d, difference" if options.difference else "conv3d"]
    with closing(ladder.open_data(rung, options.data)) as data:
        data.pack()
        start(ladder.build(rung, data), data, rate=options.rate, steps=options.steps)


if __name__ == "__main__":
    main()
