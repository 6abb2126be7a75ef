"""Which share of simulated animals is on a close-up, and how many close-ups show none: by size, light and wind.

    python bench/decode/crop_recall.py [--clips 300] [--seed 0] [--keep FILE]

Scenes are drawn at raw size (404x720) at 15 moments of 15 s, as they are and without each of their animals in turn:
what differs by more than 10 of 255 levels is the animal, and its edges are the true box. A crop holds an animal when
half or more of its box's area in that very frame lies within, and shows none when that is less than a tenth of every
animal's. Crops are chosen in the same frames averaged to small ones, as decoding makes them, but for what H.264 loses.
The size of a clip's animals is the longer side of the largest box among their medians over time, as a share of the
picture's height. Prints a line of JSON per way (small size, colours, number of crops) with the shares by group. With
`--keep` small frames and boxes are kept in a file, and read from there when it exists.
"""

import argparse
import json
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.records import SIZES_PX, Crop
from primatrix.simulation import ClipPlan, SimulationSpec, draw_clip, draw_survey, make_visible_scene
from primatrix.video import choose_crops

FRAMES = 15  # one per second
SEEN_LEVELS = 10
LEAST_PIXELS = 60  # of a raw frame's 290,880: fewer are specks
HELD, SHOWN = 0.5, 0.1
HEIGHT_PX, WIDTH_PX = SIZES_PX["raw"]
SMALL_PX = {"64x64": (64, 64), "96x96": (96, 96), "64x114": (64, 114)}
WAYS = [("64x64", "rgb", 4), ("64x64", "rgb", 6), ("64x64", "grey", 4), ("64x64", "grey", 6)]
WAYS += [(size, "rgb", count) for size in ("96x96", "64x114") for count in (4, 6)]
Boxes = np.ndarray  # (animals, T, 4): left, top, right, bottom in shares of the picture; NaN where not seen


@dataclass(frozen=True)
class Drawn:
    """A clip in small frames (T, H, W, 3), with the boxes of its animals."""

    small: dict[str, np.ndarray]
    boxes: Boxes
    wind: float
    night: bool
    blank: bool

    @property
    def size(self) -> float:
        """The longer side of the largest animal, as a share of the picture's height."""
        sides = self.boxes[..., 2:] - self.boxes[..., :2]
        longer = np.maximum(sides[..., 0] * WIDTH_PX / HEIGHT_PX, sides[..., 1])
        return max(float(np.nanmedian(one)) for one in longer if not np.isnan(one).all())


def list_plans(spec: SimulationSpec) -> list[ClipPlan]:
    """What each clip of a survey shows, site by site, which is how backdrops are drawn once."""
    survey, names = draw_survey(spec), np.array(BENCHMARK_SPECIES)
    minutes = survey.time.astype("datetime64[m]").astype(np.int64) % (24 * 60)
    return [
        ClipPlan(
            int(i), tuple(name for name in names[survey.shown[i]].tolist() if name != BLANK), int(survey.site[i]),
            int(survey.event[i]), int(minutes[i]),
        )
        for i in np.argsort(survey.site, kind="stable")
    ]  # fmt: skip


def draw(plan: ClipPlan, *, seed: int) -> Drawn:
    scene = make_visible_scene(plan, seed=seed)

    def render(actors: tuple[object, ...]) -> np.ndarray:
        shown = replace(scene, actors=actors)
        pictures = draw_clip(
            shown, height_px=HEIGHT_PX, width_px=WIDTH_PX, frames=FRAMES, frames_per_second=1.0
        )
        return np.stack(list(pictures))

    frames = render(scene.actors)
    others = [tuple(one for one in scene.actors if one is not actor) for actor in scene.actors]
    boxes = [find_boxes(frames, render(rest)) for rest in others]
    small = {name: shrink(frames, *size_px) for name, size_px in SMALL_PX.items()}
    kept = np.array([one for one in boxes if not np.isnan(one).all()]).reshape(-1, FRAMES, 4)
    return Drawn(small, kept, scene.wind, scene.night, not scene.actors)


def find_boxes(frames: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Edges (T, 4) of what differs, in shares; NaN where less than a few pixels do."""
    boxes = np.full((len(frames), 4), np.nan)
    for i, (picture, other) in enumerate(zip(frames, without, strict=True)):
        change = np.abs(picture.astype(np.int16) - other).max(-1) > SEEN_LEVELS
        if change.sum() >= LEAST_PIXELS:
            rows, columns = np.flatnonzero(change.any(1)), np.flatnonzero(change.any(0))
            edges = (
                columns[0] / WIDTH_PX,
                rows[0] / HEIGHT_PX,
                (columns[-1] + 1) / WIDTH_PX,
                (rows[-1] + 1) / HEIGHT_PX,
            )
            boxes[i] = edges
    return boxes


def shrink(frames: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    pictures = (Image.fromarray(picture) for picture in frames)
    return np.stack([np.asarray(one.resize((width_px, height_px), Image.Resampling.BOX)) for one in pictures])


def to_grey(frames: np.ndarray) -> np.ndarray:
    return (frames @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)[..., None]


def share_within(crop: Crop, boxes: Boxes) -> np.ndarray:
    """Which share of each animal's box in the crop's frame lies in the crop (animals,); 0 where it is not seen."""
    left, top, right, bottom = boxes[:, crop.frame].T
    wide = np.minimum(right, crop.box.left + crop.box.width) - np.maximum(left, crop.box.left)
    high = np.minimum(bottom, crop.box.top + crop.box.height) - np.maximum(top, crop.box.top)
    return np.nan_to_num(np.maximum(wide, 0) * np.maximum(high, 0) / ((right - left) * (bottom - top)))


def list_groups() -> dict[str, Callable[[Drawn], bool]]:
    return {
        "all": lambda _: True,
        "size below 10 %": lambda clip: clip.size < 0.1,
        "size 10 to 20 %": lambda clip: 0.1 <= clip.size < 0.2,
        "size 20 to 40 %": lambda clip: 0.2 <= clip.size < 0.4,
        "size 40 to 80 %": lambda clip: 0.4 <= clip.size < 0.8,
        "size above 80 %": lambda clip: clip.size >= 0.8,
        "day": lambda clip: not clip.night,
        "night": lambda clip: clip.night,
        "wind below 0.3": lambda clip: clip.wind < 0.3,
        "wind 0.3 to 0.8": lambda clip: 0.3 <= clip.wind < 0.8,
        "wind above 0.8": lambda clip: clip.wind >= 0.8,
        "seen in 5 frames at most": lambda clip: count_seen(clip) <= 5,
        "seen in 6 to 12 frames": lambda clip: 5 < count_seen(clip) <= 12,
        "seen in 13 frames or more": lambda clip: count_seen(clip) > 12,
    }


def count_seen(clip: Drawn) -> int:
    """In how many frames an animal is seen."""
    return int((~np.isnan(clip.boxes[..., 0])).any(0).sum())


def measure(clips: list[Drawn], size: str, colours: str, count: int) -> dict[str, object]:
    shares, sides, used = [], [], 0.0
    for clip in clips:
        frames = clip.small[size] if colours == "rgb" else to_grey(clip.small[size])
        started = time.process_time()
        crops = choose_crops(frames, np.arange(float(FRAMES)), count=count, aspect=WIDTH_PX / HEIGHT_PX)
        used += time.process_time() - started
        close = [crop for crop in crops if crop.novelty > 0]  # the whole picture is no close-up
        shares.append([max(share_within(crop, clip.boxes), default=0.0) for crop in close])
        sides += [crop.box.height for crop in close if len(clip.boxes)]
    found = {
        name: [round(float(np.mean([max(s, default=0) >= HELD for s in group])), 3), len(group)]
        for name, of in list_groups().items()
        if (group := [s for s, clip in zip(shares, clips, strict=True) if len(clip.boxes) and of(clip)])
    }
    there = [share for s, clip in zip(shares, clips, strict=True) if len(clip.boxes) for share in s]
    blank = [len(s) for s, clip in zip(shares, clips, strict=True) if clip.blank]
    return {
        "small": size, "colours": colours, "count": count, "held": found,
        "show_none": round(float(np.mean(np.array(there) < SHOWN)), 3),
        "hold_none": round(float(np.mean(np.array(there) < HELD)), 3),
        "crops_per_blank": round(float(np.mean(blank)), 2),
        "blanks_without": round(float(np.mean(np.equal(blank, 0))), 3),
        "median_side": round(float(np.median(sides)), 2), "ms_per_clip": round(1000 * used / len(clips), 2),
    }  # fmt: skip


def draw_or_read(args: argparse.Namespace) -> Iterator[Drawn]:
    if args.keep and args.keep.exists():
        yield from pickle.loads(args.keep.read_bytes())  # our own file
        return
    spec = SimulationSpec(
        train_clips=args.clips, test_clips=0, seed=args.seed, sites=max(8, args.clips // 12)
    )
    clips = [draw(plan, seed=args.seed) for plan in list_plans(spec)]
    if args.keep:
        args.keep.write_bytes(pickle.dumps(clips))
    yield from clips


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    started = time.perf_counter()
    clips = list(draw_or_read(args))
    facts = {"clips": len(clips), "with_animals": sum(len(clip.boxes) > 0 for clip in clips)}
    print(json.dumps({**facts, "seconds": round(time.perf_counter() - started)}), flush=True)
    for way in WAYS:
        print(json.dumps(measure(clips, *way)), flush=True)


if __name__ == "__main__":
    main()
