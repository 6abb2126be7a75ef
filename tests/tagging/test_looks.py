from collections.abc import Iterator

import numpy as np
import pytest

from primatrix.models import Model, Processor, build_model
from primatrix.records import ClipSpec
from primatrix.tagging import looks
from primatrix.tagging.looks import (
    answer_windows,
    combine_windows,
    find_thresholds,
    find_window_seconds,
    slide_frames,
)

CPU = Processor("cpu", "fp32")


def test_a_clip_is_blank_only_if_every_window_is() -> None:
    windows = np.array([[0.9, 0.1, 0.3], [0.3, 0.8, 0.1]], np.float32)
    np.testing.assert_allclose(combine_windows(windows, species=["blank", "hog", "bird"]), [0.3, 0.8, 0.3])
    np.testing.assert_allclose(combine_windows(windows, species=["a", "b", "c"]), [0.9, 0.8, 0.3])


def test_short_looks_cover_every_frame() -> None:
    for frames in (1, 2, 3, 5, 15, 30, 64):
        looks = slide_frames(frames)
        assert looks.shape[1] == frames
        assert set(looks.ravel()) == set(range(frames))
        assert (np.diff(looks, axis=1) >= 0).all()
    assert len(slide_frames(15)) == 6


def test_the_windows_themselves_are_left_as_they_were() -> None:
    windows = np.array([[0.9, 0.1], [0.3, 0.8]], np.float32)
    combine_windows(windows, species=["blank", "hog"])
    assert windows.tolist() == np.array([[0.9, 0.1], [0.3, 0.8]], np.float32).tolist()


@pytest.fixture
def model() -> Model:
    return build_model("lrcn", species=["blank", "hog"], spec=ClipSpec(6, 16, 16))


def answer(
    model: Model, *windows: list[int], monkeypatch: pytest.MonkeyPatch
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Answers for windows whose frames have these brightnesses; a clip's hog is its mean brightness in percent.

    The third part says how many clips the model was asked about each time.
    """
    asked = []

    def see(call: object, batch: np.ndarray, **_: object) -> np.ndarray:
        asked.append(len(batch))
        hog = batch.mean(axis=(1, 2, 3, 4)) / 100
        return np.stack([1 - hog, hog], axis=1).astype(np.float32)

    monkeypatch.setattr(looks, "predict_one", see)
    batch = np.stack([np.stack([np.full((16, 16, 1), value, np.uint8) for value in row]) for row in windows])

    def batches() -> Iterator[np.ndarray]:
        yield batch

    [(clips, frames)] = answer_windows(model, batches(), processor=CPU, clips=len(batch))
    return clips, frames, asked


def test_a_window_worth_it_is_looked_at_by_thirds_and_a_frame_gets_the_mean_of_those_that_cover_it(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, frames, asked = answer(model, [0, 0, 0, 0, 90, 90], monkeypatch=monkeypatch)
    assert clips[0].tolist() == pytest.approx([0.7, 0.3])
    # Looks at frames 0-1, 1-2, 2-3, 3-4 and 4-5 see 0, 0, 0, 45 and 90 percent.
    assert frames[0, :, 1].tolist() == pytest.approx([0, 0, 0, 0.225, 0.675, 0.9])
    assert asked == [1, 5]


def test_a_window_where_no_animal_comes_near_its_threshold_keeps_its_answer_for_every_frame(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, frames, asked = answer(model, [0, 0, 0, 0, 0, 90], [25] * 6, monkeypatch=monkeypatch)
    assert clips[:, 1].tolist() == pytest.approx([0.15, 0.25])
    assert frames[0, :, 1].tolist() == pytest.approx([0.15] * 6)
    assert asked == [2, 5]  # only the second, at half of 0.5, is looked at


def test_few_windows_are_looked_at_together(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    _, frames, asked = answer(model, *([[50] * 6] * 12), monkeypatch=monkeypatch)
    assert frames[:, :, 1] == pytest.approx(np.full((12, 6), 0.5))
    assert asked == [12, 25, 25, 10]


def test_a_species_counts_as_seen_from_a_half_where_the_model_is_not_calibrated(model: Model) -> None:
    assert find_thresholds(model) == {"blank": 0.5, "hog": 0.5}


def test_windows_are_as_long_as_the_clips_of_training(model: Model) -> None:
    assert find_window_seconds(model) == 15.0  # where nobody knows
    model.clip_seconds = 7.5
    assert find_window_seconds(model) == 7.5
    each_second = build_model("lrcn", species=["hog"], spec=ClipSpec(20, 16, 16, sampler="per_second"))
    each_second.clip_seconds = 60.0
    assert find_window_seconds(each_second) == 20.0
