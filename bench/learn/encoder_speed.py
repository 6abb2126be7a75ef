"""How many pictures a second an encoder turns into features, in every way it may run, and whether they agree.

    python bench/learn/encoder_speed.py [--encoder efficientnet-lite0] [--device cpu|cuda] [--pictures 64] [--rounds 5]
        [--without WAY ...] [--at-once N ...]

Ways: by torch in fp32, as the library runs it (on a CPU by onnxruntime, where the encoder is one of ours), in bf16,
compiled (`torch.compile`), and with other numbers of pictures at once. One round goes through all ways, one after the
other; the median of the rounds counts, and its ratio to the first way of the same round. Prints a line of JSON per way:
pictures/s, core-seconds a picture (CPU), ratio, and the largest difference of a feature from torch's on a CPU in fp32.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

import primatrix as pm

See = Callable[[Tensor], Tensor]


def draw_pictures(count: int, side_px: int) -> Tensor:
    """Soft blobs of colour, uint8 (N, side, side, 3)."""
    coarse = torch.rand((count, 3, 7, 7), generator=torch.Generator().manual_seed(0)) * 255
    large = nn.functional.interpolate(coarse, (side_px, side_px), mode="bicubic")
    return large.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def load_torch(name: str) -> pm.Encoder:
    """The encoder with its network run by torch, whatever the library does."""
    encoder = pm.load_encoder(name)
    encoder.body = getattr(encoder.body, "network", encoder.body)
    return encoder


def see_at_once(encoder: pm.Encoder, count: int, x: Tensor) -> Tensor:
    encoder.at_once = count
    return encoder(x)


def in_bf16(see: See, device: str, x: Tensor) -> Tensor:
    with torch.autocast(device, torch.bfloat16):
        return see(x)


def list_ways(name: str, device: str, at_once: list[int]) -> dict[str, See]:
    ways: dict[str, See] = {
        "by torch": load_torch(name).to(device),
        "as it is": pm.load_encoder(name).to(device),
        "compiled": torch.compile(load_torch(name).to(device)),
    }
    ways["bf16"] = partial(in_bf16, ways["as it is"], device)
    for count in at_once:
        ways[f"{count} at once"] = partial(see_at_once, pm.load_encoder(name), count)
        ways[f"{count} at once by torch"] = partial(see_at_once, load_torch(name), count)
    return ways


def measure(see: See, x: Tensor) -> tuple[float, float]:
    """Seconds and core-seconds for all pictures."""
    started, used = time.perf_counter(), time.process_time()
    see(x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, nargs="*", default=[], metavar="N", help="on a CPU")
    parser.add_argument("--without", nargs="*", default=[], metavar="WAY")
    args = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False
    truth = load_torch(args.encoder)
    x = draw_pictures(args.pictures, truth.facts.side_px)
    with torch.inference_mode():
        expected, there = truth(x[:64]), x.to(args.device)
        ways = {
            name: see for name, see in list_ways(args.encoder, args.device, args.at_once).items()
            if name not in args.without
        }  # fmt: skip
        apart = {name: float((see(there[:64]).cpu() - expected).abs().max()) for name, see in ways.items()}
        for see in ways.values():
            measure(see, there)
        rounds = [{name: measure(see, there) for name, see in ways.items()} for _ in range(args.rounds)]
    for name in ways:
        seconds, used = np.median([one[name] for one in rounds], axis=0)
        ratio = np.median([one["by torch"][0] / one[name][0] for one in rounds])
        line = {
            "way": name, "pictures_per_second": round(args.pictures / seconds, 1), "ratio": round(float(ratio), 2),
            "core_seconds_a_picture": round(used / args.pictures, 4), "largest_difference": apart[name],
            "largest_feature": round(float(expected.abs().max()), 2), "threads": torch.get_num_threads(),
        }  # fmt: skip
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
