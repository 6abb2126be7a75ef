from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.data.dataset import Dataset
from primatrix.data.draws import Sampling, draw_epoch, weigh_clips
from primatrix.errors import InputError
from primatrix.records import ClipSpec


def test_a_clip_weighs_as_its_rarest_species() -> None:
    labels = np.zeros((1000, 4))
    labels[:900, 0] = 1
    labels[900:925, 1] = 1
    labels[924:928, 2] = 1  # the first of them shows both rare species
    weights = weigh_clips(labels, sampling=Sampling(threshold=0.1, power=0.5, most=20))
    assert set(weights[:900]) == {1.0}
    assert set(weights[900:924]) == {2.0}  # (100 / 25) ** 0.5
    assert set(weights[924:928]) == {5.0}  # (100 / 4) ** 0.5
    assert set(weights[928:]) == {1.0}  # clips of no species
    steeper = weigh_clips(labels, sampling=Sampling(threshold=0.1, power=1, most=20))
    assert (steeper[900], steeper[927]) == (4.0, 20.0)  # 100 / 4 is 25, more than `most`


def test_an_epoch_draws_each_clip_as_often_as_it_weighs() -> None:
    weights = np.concatenate([np.full(900, 1.0), np.full(90, 3.0), np.full(10, 12.0)])
    rng = np.random.default_rng(0)
    counts = np.array([np.bincount(draw_epoch(weights, rng=rng), minlength=1000) for _ in range(200)])
    assert (counts.sum(axis=1) == 1000).all()
    expected = 1000 * weights / weights.sum()
    assert (np.abs(counts - expected) < 1).all()  # rounded down or up, never further
    np.testing.assert_allclose(counts.mean(axis=0), expected, atol=0.2)
    assert np.corrcoef(counts[:, 0], counts[:, 1])[0, 1] < 0.3  # neighbours do not come together


@given(st.integers(1, 300), st.floats(0.1, 50), st.integers(0, 9))
@settings(max_examples=20)
def test_equal_weights_give_every_clip_once(clips: int, weight: float, seed: int) -> None:
    rows = draw_epoch(np.full(clips, weight), rng=np.random.default_rng(seed))
    assert sorted(rows.tolist()) == list(range(clips))


def test_sampling_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="threshold: got 0, wanted"):
        Sampling(threshold=0)
    with pytest.raises(InputError, match="threshold: got 500, wanted 0 to 1"):
        Sampling(threshold=500)
    with pytest.raises(InputError, match="power: got 2, wanted 0 to 1"):
        Sampling(power=2)
    with pytest.raises(InputError, match=r"most: got 0.5, wanted 1 or more"):
        Sampling(most=0.5)


@pytest.fixture
def data(make_video: Callable[..., Path], tmp_path: Path) -> Dataset:
    """24 clips, three of them hogs."""
    names = [f"{i}.avi" for i in range(24)]
    for i, name in enumerate(names):
        make_video(tmp_path / name, frames=3 + i, size=(16, 16), codec="mpeg4")
    rows = [(name, "hog" if i % 8 == 0 else "duiker") for i, name in enumerate(names)]
    pd.DataFrame(rows, columns=["filepath", "label"]).to_csv(tmp_path / "labels.csv", index=False)
    return Dataset.from_folder(
        tmp_path, ClipSpec(2, 8, 8), labels=tmp_path / "labels.csv", val_size=0.1, batch_size=11, workers=0
    )


def test_the_dataset_shows_rare_species_more_often_and_can_go_back(data: Dataset) -> None:
    hogs = data.class_names.index("hog")

    def count_hogs() -> float:
        data.seek(0)
        batches = data.batches()
        return float(sum(next(batches)[1][:, hogs].sum() for _ in range(20)))

    whole = [next(data.batches())[0] for _ in range(3)]
    plain = count_hogs()
    data.use_sampling(Sampling(threshold=0.9, power=1, most=20))
    assert count_hogs() > 3 * plain
    data.seek(2)
    third = next(data.batches())[0]
    data.seek(0)
    np.testing.assert_array_equal([next(data.batches())[0] for _ in range(3)][2], third)
    data.use_sampling(None)
    data.seek(0)
    for before in whole:
        np.testing.assert_array_equal(next(data.batches())[0], before)
