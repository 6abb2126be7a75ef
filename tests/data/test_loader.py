import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.data.cache import name_folder
from primatrix.data.loader import ClipLoader, pack_folder
from primatrix.errors import DecodeError, InputError
from primatrix.records import Clip, ClipSpec, Failure, Progress, Video
from primatrix.video import decode_clip, find_videos, identify

SPEC = ClipSpec(frames=4)
NAMES = ["cut.avi", "gone.mp4", "whole.mp4", "wrong.mp4"]


@pytest.fixture
def folder(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """A whole video, one cut short and one that is none; `gone.mp4` is not there."""
    folder = tmp_path / "videos"
    folder.mkdir()
    make_video(folder / "whole.mp4", frames=8, size=(16, 16))
    cut = make_video(folder / "cut.avi", frames=20, size=(16, 16), codec="mpeg4")
    cut.write_bytes(cut.read_bytes()[:-300])
    (folder / "wrong.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def loader(folder: Path, tmp_path: Path) -> Iterator[ClipLoader]:
    loader = ClipLoader(find_videos(folder), SPEC, store=tmp_path / "store", workers=0)
    yield loader
    loader.close()


def test_clips_are_those_that_decoding_gives_and_failed_ones_are_zeros(
    loader: ClipLoader, folder: Path
) -> None:
    loader.prepare(NAMES)
    frames = loader.read(NAMES[::-1])
    assert (frames.shape, frames.dtype) == ((4, 4, 16, 16, 1), np.uint8)
    assert not frames[0].any()
    assert np.array_equal(frames[1], decode_clip(folder / "whole.mp4", SPEC).frames)
    assert not frames[2].any()
    assert np.array_equal(frames[3], decode_clip(folder / "cut.avi", SPEC).frames)
    assert not loader.read(["wrong.mp4"]).any()
    assert np.array_equal(
        loader.read_pts(["whole.mp4"])[0], decode_clip(folder / "whole.mp4", SPEC).pts_seconds
    )


def test_what_failed_and_what_is_partial_is_told_in_the_order_it_was_met(loader: ClipLoader) -> None:
    assert loader.list_failures() == ()
    loader.prepare(["wrong.mp4"])
    loader.prepare(NAMES)
    assert list(loader.partial) == ["cut.avi"]
    assert loader.list_failures() == (
        Failure("wrong.mp4", "open", "not readable as video: Invalid data found when processing input"),
        Failure("gone.mp4", "find", "no such file"),
    )


def test_each_clip_is_decoded_once_for_all_loaders_of_a_store(
    loader: ClipLoader, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    loader.prepare([*NAMES, *NAMES], on_progress=told.append)
    assert told[-1] == Progress("pack", 3, 3, message="1 failed")
    monkeypatch.setattr("primatrix.video.pool.DecodePool.map", None)
    loader.prepare(NAMES)
    again = ClipLoader(find_videos(folder), SPEC, store=tmp_path / "store", workers=0)
    again.prepare(NAMES)
    assert np.array_equal(again.read(NAMES), loader.read(NAMES))


def test_a_file_is_known_by_what_it_is_once_it_was_prepared(loader: ClipLoader, folder: Path) -> None:
    assert loader.identify(["whole.mp4"]) == [""]
    loader.prepare(NAMES)
    assert loader.identify(["whole.mp4", "gone.mp4"]) == [identify(folder / "whole.mp4").hex(), ""]


def test_packing_a_folder_lists_what_cannot_be_read_and_does_it_once(folder: Path, tmp_path: Path) -> None:
    run = pack_folder(folder, SPEC, store=tmp_path / "store", workers=0)
    assert (run.counts.ok, run.counts.partial, run.counts.failed, run.counts.present) == (1, 1, 1, 0)
    assert [failure.name for failure in run.failures] == ["wrong.mp4"]
    assert run.failures_path == run.store / name_folder(folder) / "failures.csv"
    assert pd.read_csv(run.failures_path)["filename"].tolist() == ["wrong.mp4"]
    assert run.summary().endswith("1 whole, 1 in part, 1 not readable")
    (folder / "wrong.mp4").unlink()
    again = pack_folder(folder, SPEC, store=tmp_path / "store", workers=0)
    assert (again.counts.packed, again.counts.present, again.failures) == (0, 2, ())
    assert again.failures_path is None
    assert not run.failures_path.exists()


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no such folder"):
        pack_folder(tmp_path / "nowhere", SPEC, store=tmp_path / "store")


@pytest.fixture
def too_slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Switches on and off that a worker took too long for `whole.mp4`, which nothing keeps from being read later."""
    pool = importlib.import_module("primatrix.video.pool")
    decode = pool._decode_video

    def give_up(spec: object, clip: object, video: Video) -> Clip:
        if video.name == "whole.mp4":
            raise DecodeError("not done after 60 s", stage="time limit")
        return decode(spec, clip, video)

    return lambda is_slow: monkeypatch.setattr(pool, "_decode_video", give_up if is_slow else decode)


def test_a_clip_that_failed_is_tried_again_where_that_is_asked_for(
    folder: Path, tmp_path: Path, too_slow: Callable[[bool], None]
) -> None:
    def find_failed(*, retry_failed: bool) -> list[str]:
        loader = ClipLoader(
            find_videos(folder), SPEC, store=tmp_path / "store", workers=0, retry_failed=retry_failed
        )
        loader.prepare(NAMES)
        loader.prepare(NAMES)
        return list(loader.failed)

    too_slow(True)
    assert find_failed(retry_failed=False) == ["gone.mp4", "whole.mp4", "wrong.mp4"]
    too_slow(False)
    assert find_failed(retry_failed=False) == ["gone.mp4", "whole.mp4", "wrong.mp4"]
    assert find_failed(retry_failed=True) == ["gone.mp4", "wrong.mp4"]
    assert find_failed(retry_failed=False) == ["gone.mp4", "wrong.mp4"]


def test_packing_tries_again_what_failed_where_that_is_asked_for(
    folder: Path, tmp_path: Path, too_slow: Callable[[bool], None]
) -> None:
    too_slow(True)
    assert pack_folder(folder, SPEC, store=tmp_path, workers=0).counts.failed == 2
    too_slow(False)
    assert len(pack_folder(folder, SPEC, store=tmp_path, workers=0).failures) == 2
    again = pack_folder(folder, SPEC, store=tmp_path, workers=0, retry_failed=True)
    assert (again.counts.ok, again.counts.failed, again.counts.present) == (1, 1, 1)
    assert [failure.name for failure in again.failures] == ["wrong.mp4"]


def test_a_clip_that_gave_nothing_or_a_part_is_told_from_one_that_gave_all(
    loader: ClipLoader, folder: Path
) -> None:
    """Answers kept for empty frames must not be taken for those of a clip that could be read later."""
    loader.prepare(NAMES)
    known = [identify(folder / name).hex() for name in ("cut.avi", "whole.mp4")]
    assert loader.identify(["cut.avi", "whole.mp4", "wrong.mp4"]) == [f"{known[0]} partial", known[1], ""]
