"""Whether finding and keeping clips stays linear: folders and stores of 100,000 and 300,000 files.

    python bench/scale/store_scale.py [FOLDER]

FOLDER, where given, is searched too. Packing is timed with a decoder that gives the same clip every time, so that
what is left is the store's own cost. Prints JSON.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from primatrix.data import Store
from primatrix.records import Clip, ClipSpec
from primatrix.video import DecodePool, PoolOptions, find_videos, identify_all

SPEC = ClipSpec(1, 8, 8)  # small: the disk is not what is measured
FRAMES, PTS = np.zeros(SPEC.shape, np.uint8), np.arange(float(SPEC.frames))


def give_same(_path: Path, _spec: ClipSpec, *, name: str) -> Clip:
    return Clip(name, FRAMES, PTS)


def time_call(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return round(time.perf_counter() - began, 3)


def measure(count: int) -> dict[str, float]:
    """Seconds of each step at this many files."""
    with tempfile.TemporaryDirectory() as folder:
        cards, store = Path(folder, "cards"), Path(folder, "store")
        for i in range(count):
            card = cards / f"{i // 5000:03}"
            card.mkdir(parents=True, exist_ok=True)
            (card / f"{i:06}.mp4").write_text(str(i))  # each another file, so that each is a clip of its own
        result = {"find": time_call(lambda: find_videos(cards))}
        videos = find_videos(cards)
        result["tell what each is"] = time_call(lambda: list(identify_all(videos)))
        pool = DecodePool(SPEC, options=PoolOptions(workers=0), decode=give_same)
        result["pack"] = time_call(lambda: Store(store, SPEC).pack(videos, pool=pool))
        result["open"] = time_call(lambda: Store(store, SPEC))
        opened = Store(store, SPEC)
        result["pack again"] = time_call(lambda: opened.pack(videos, pool=pool))
        result["status of all"] = time_call(lambda: opened.status(videos))
        chosen = [videos[i] for i in np.random.default_rng(0).choice(count, 10_000, replace=False)]
        result["read 10,000 at random"] = time_call(lambda: opened.read(chosen))
        return result


def main() -> None:
    result: dict[str, object] = {f"{count:,}": measure(count) for count in (100_000, 300_000)}
    for folder in sys.argv[1:]:
        result["files found"] = len(find_videos(folder))
        result["seconds to find them"] = time_call(lambda folder=folder: find_videos(folder))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
