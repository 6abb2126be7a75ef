"""What a store keeps of clips: pixels, or something made of them in their place."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.data.keeping import Pixels
from primatrix.data.store import Store
from primatrix.records import Clip, ClipSpec
from primatrix.video import PoolOptions, find_videos

SPEC = ClipSpec(3, 8, 8)


class Means:
    """The mean grey of each frame: something that is made of a clip."""

    spec = SPEC
    key = "means"
    shape: tuple[int, ...] = (3,)
    dtype = np.float16
    most_in_shard = 2

    def __init__(self) -> None:
        self.asked: list[int] = []

    def describe(self) -> dict[str, Any]:
        return {"what": "means"}

    def take(self, clips: Sequence[Clip]) -> NDArray[Any]:
        self.asked.append(len(clips))
        return np.stack([clip.frames.mean((1, 2, 3)) for clip in clips]).astype(np.float16)


def test_pixels_are_the_frames_themselves() -> None:
    clips = [Clip("a", np.full(SPEC.shape, i, np.uint8), np.arange(3.0)) for i in range(2)]
    kept = Pixels(SPEC).take(clips)
    assert kept.dtype == np.uint8
    np.testing.assert_array_equal(kept, np.stack([clip.frames for clip in clips]))


def test_a_store_keeps_what_is_made_of_clips(make_video: Callable[..., Path], tmp_path: Path) -> None:
    for i in range(5):
        make_video(tmp_path / "card" / f"{i}.mp4", frames=5 + i) if i else (tmp_path / "card").mkdir()
    (tmp_path / "card" / "0.mp4").write_bytes(b"no video")
    videos, means = find_videos(tmp_path / "card"), Means()
    store = Store(tmp_path / "store", SPEC, keeping=means)
    packed = store.pack(videos, options=PoolOptions(workers=0), on_progress=None)
    assert (packed.ok, packed.failed) == (4, 1)
    assert sum(means.asked) == 4
    pixels = Store(tmp_path / "store", SPEC)
    pixels.pack(videos, options=PoolOptions(workers=0), on_progress=None)
    good = videos[1:]
    assert store.read(good).dtype == np.float16
    np.testing.assert_allclose(store.read(good), pixels.read(good).mean((2, 3, 4)), rtol=1e-3)
    np.testing.assert_array_equal(store.read_pts(good), pixels.read_pts(good))
    again = Store(tmp_path / "store", SPEC, keeping=Means())  # opened anew
    np.testing.assert_array_equal(again.read(good), store.read(good))
    assert again.pack(videos, options=PoolOptions(workers=0), on_progress=None).packed == 0


def test_a_shard_holds_no_more_than_asked_for(make_video: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    for i in range(3):
        make_video(tmp_path / "card" / f"{i}.mp4", frames=5 + i)
    store = Store(tmp_path / "store", SPEC, keeping=Means())
    store.pack(find_videos(tmp_path / "card"), options=PoolOptions(workers=0), on_progress=None)
    assert sorted(path.name for path in store.folder.glob("*.npy")) == [
        "shard-000000.npy",
        "shard-000001.npy",
    ]
