"""Close-ups of what a detector finds: cut in workers, known by the detector's digest, refused where it is another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import InputError, ModelError
from primatrix.records import Box, Clip, ClipSpec
from primatrix.video.decode import decode_clip
from primatrix.video.detector import Found
from primatrix.video.detector_facts import read_detector, read_facts
from primatrix.video.files import find_videos
from primatrix.video.pointing import check_detector, find_detector_again, point_at
from primatrix.video.pool import PoolOptions, allow_detector, decode_clips

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

Write = Callable[..., Path]
MIDDLE = [32, 32, 16, 18, 1.0, 0.9, 0.05, 0.0]  # an animal in the middle of a picture of 128x72


def make_spec(path: Path, **changes: object) -> ClipSpec:
    spec = ClipSpec(6, 48, 48, "rgb", closeups=4, looks=5, detector=read_detector(path).to_text())
    return replace(spec, **changes)  # type: ignore[arg-type]


@pytest.fixture
def detector(write_detector: Write, tmp_path: Path) -> Path:
    """It finds an animal in the middle of every picture."""
    return write_detector(tmp_path / "md.onnx", {"output": [[MIDDLE]]})


def test_facts_come_back_from_text(detector: Path) -> None:
    facts = read_detector(detector)
    assert read_facts(facts.to_text()) == facts
    with pytest.raises(ModelError, match=r"detector: got facts that are none"):
        read_facts('{"path": "a.onnx"}')


def test_the_surest_of_each_stand_are_chosen_and_spread_over_time() -> None:
    deer, fox = Box(0.1, 0.4, 0.2, 0.3), Box(0.7, 0.5, 0.1, 0.1)
    found = [
        [Found(deer, "animal", 0.9), Found(fox, "animal", 0.6)], [Found(deer, "animal", 0.89)],
        [Found(deer, "animal", 0.8)],
    ]  # fmt: skip
    crops = point_at(found, [0.0, 0.1, 5.0], count=3, aspect=1.0)
    assert [(crop.frame, crop.patch) for crop in crops] == [(0, deer), (0, fox), (2, deer)]
    assert [round(crop.novelty / 4, 3) for crop in crops] == [0.9, 0.6, 0.8]
    assert crops[0].box.width > deer.width  # with what lies around


def test_where_nothing_is_found_there_is_no_crop() -> None:
    assert point_at([[], []], [0.0, 1.0], count=3, aspect=1.0) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_close_ups_are_of_what_was_found(
    make_video: Write, tmp_path: Path, detector: Path, workers: int
) -> None:
    make_video(tmp_path / "card" / "a.mp4", frames=10, size=(128, 72)) if (
        tmp_path / "card"
    ).mkdir() is None else None
    spec = make_spec(detector)
    (clip,) = decode_clips(find_videos(tmp_path / "card"), spec, options=PoolOptions(workers=workers))
    assert isinstance(clip, Clip)
    assert clip.boxes is not None
    close = clip.boxes[:, 4] > 0
    assert 1 <= close.sum() <= 4
    np.testing.assert_allclose(
        clip.boxes[close], [[0.375, 0.25, 0.25, 0.5, 3.6]] * int(close.sum()), atol=1e-3
    )
    np.testing.assert_array_equal(clip.boxes[~close], [[0, 0, 1, 1, 0]] * int((~close).sum()))


def test_a_clip_in_which_nothing_is_found_gives_whole_pictures(
    make_video: Write, write_detector: Write, tmp_path: Path
) -> None:
    unsure = write_detector(tmp_path / "none.onnx", {"output": [[[32, 32, 16, 18, 0.1, 0.9, 0, 0]]]})
    clip = decode_clip(make_video(tmp_path / "a.mp4", frames=10, size=(128, 72)), make_spec(unsure))
    assert clip.boxes is not None
    assert (clip.boxes == [0, 0, 1, 1, 0]).all()


def test_the_key_knows_the_detector_and_not_where_it_lies(
    detector: Path, write_detector: Write, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "other name.onnx"
    moved.parent.mkdir()
    moved.write_bytes(detector.read_bytes())
    spec = make_spec(detector)
    assert make_spec(moved).key == spec.key
    other = write_detector(tmp_path / "b.onnx", {"output": [[[20, 32, 16, 18, 1.0, 0.9, 0.05, 0.0]]]})
    assert make_spec(other).key != spec.key
    assert ClipSpec.from_dict(spec.to_dict()) == spec
    found = find_detector_again(spec, moved)
    assert (found.key, read_facts(found.detector).path) == (spec.key, str(moved))
    with pytest.raises(
        ModelError, match=r"b.onnx: got detector .*…, wanted .*…, as the model was trained with"
    ):
        find_detector_again(spec, other)
    with pytest.raises(ModelError, match=r"but the model looks at what moves"):
        find_detector_again(replace(spec, detector=""), moved)


def test_a_detector_that_is_gone_or_another_is_one_line_before_the_work(detector: Path) -> None:
    spec = make_spec(detector)
    check_detector(spec)
    detector.write_bytes(detector.read_bytes() + b" ")
    with pytest.raises(ModelError, match=r"md.onnx: is another detector than the one that was used"):
        check_detector(spec)
    detector.unlink()
    with pytest.raises(
        ModelError, match=r"md.onnx: the detector is not there; say where it is by --detector"
    ):
        list(decode_clips([], spec, options=PoolOptions(workers=0)))


def test_a_detector_gets_time_and_memory(detector: Path) -> None:
    plain, spec = PoolOptions(), make_spec(detector)
    allowed = allow_detector(plain, spec)
    assert allowed.time_limit_seconds == plain.time_limit_seconds + 5 * 60
    assert allowed.memory_limit_bytes == plain.memory_limit_bytes + (4 << 30)
    assert allow_detector(plain, ClipSpec()) == plain


def test_a_detector_without_close_ups_is_refused(detector: Path) -> None:
    with pytest.raises(InputError, match=r"got a detector and no closeups"):
        make_spec(detector, closeups=0)
