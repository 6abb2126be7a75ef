"""What it costs to look through an encoder: features of close-ups and whole pictures beside decoding a minute of 720p.

    python bench/decode/eyes_cost.py [--rounds 3] [--encoder efficientnet-lite0]

One round does, one after the other and on one thread each: a minute of 1280x720 (that of decode_speed.py) decoded to 15
whole pictures, the same to 6 close-ups and 4 whole pictures cut from those 15, and the features of these 10. Medians of
the rounds, in core-seconds (processor time of this process, as others may work beside it) and in seconds. JSON, a line
each.
"""

import argparse
import json
import statistics

import torch

import primatrix as pm
from decode_speed import MATERIAL, WORK, make_material
from detector_speed import measure
from primatrix.records import ClipSpec
from primatrix.video import decode_clip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    args = parser.parse_args()
    torch.set_num_threads(1)
    WORK.mkdir(parents=True, exist_ok=True)
    video = make_material(next(one for one in MATERIAL if one.file == "720p.mp4"))
    features = pm.look_closely(args.encoder)
    spec = features.spec
    plain = ClipSpec(spec.looks, spec.height_px, spec.width_px, "rgb")
    clip = decode_clip(video, spec)
    jobs = {
        "decoded to 15 whole pictures": lambda: decode_clip(video, plain),
        "decoded to 6 close-ups and 4 whole pictures": lambda: decode_clip(video, spec),
        "features of the 10 pictures": lambda: features.take([clip]),
    }
    for work in jobs.values():
        measure(work)
    rounds = [{job: measure(work) for job, work in jobs.items()} for _ in range(args.rounds)]
    for job in jobs:
        cores, seconds = (statistics.median(one[job][i] for one in rounds) for i in (0, 1))
        print(json.dumps({"job": job, "core_seconds": round(cores, 3), "seconds": round(seconds, 3)}))


if __name__ == "__main__":
    main()
