from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.tagging.neighbours import Neighbours, gather_evidence, read_neighbours

FIRST = np.datetime64("2023-04-15T06:00:00")


def test_evidence_is_the_weighted_mean_of_the_others_as_summed_by_hand() -> None:
    rng = np.random.default_rng(0)
    values, sites = rng.normal(size=(30, 2)), rng.integers(0, 3, 30)
    times = FIRST + rng.integers(0, 3600, 30).astype("timedelta64[s]")
    minutes = np.abs((times[:, None] - times[None, :]).astype(float)) / 60
    weight = np.exp(-minutes / 7) * (sites[:, None] == sites[None, :]) * (1 - np.eye(30))
    expected = weight @ values / np.maximum(1, weight.sum(axis=1))[:, None]
    np.testing.assert_allclose(
        gather_evidence(values, sites=sites, times=times, lag_minutes=7), expected, atol=1e-12
    )


def test_failed_clips_and_clips_without_a_time_neither_change_nor_lend() -> None:
    kept = Neighbours(("a",), usual=(0.0,), others=1.0, lag_minutes=5)
    probabilities = np.array([[0.9], [np.nan], [0.9], [0.4]])
    times = np.array([FIRST, FIRST, "NaT", FIRST], "datetime64[s]")
    after = kept.apply(probabilities, sites=np.array(["n", "n", "n", "n"]), times=times)
    assert np.isnan(after[1, 0])
    assert after[2, 0] == 0.9
    assert after[3, 0] == pytest.approx(0.857, abs=0.001)  # 0.9's odds of 9 times its own 2/3: 6
    assert after[0, 0] == pytest.approx(0.857, abs=0.001)


def test_columns_follow_the_models_species_and_others_are_refused() -> None:
    kept = Neighbours(("hog", "lion", "bird", "bat"), usual=(-1.0, -2.0, -3.0, -4.0))
    assert kept.order_for(["bat", "bird", "hog", "lion"]).usual == (-4.0, -3.0, -1.0, -2.0)
    for species in (["hog", "lion", "bird"], ["hog", "lion", "bird", "cow"]):
        with pytest.raises(
            InputError, match=r"got those learned for 4 species \(hog, lion, bird, …\), wanted the model's"
        ):
            kept.order_for(species)


def test_a_folder_has_neighbours_only_for_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"format_version": 1, "weights_sha256": "abc"}')
    assert read_neighbours(tmp_path) is None
    Neighbours(("hog",), usual=(-2.0,), learned_for="another model").write(tmp_path)
    assert read_neighbours(tmp_path) is None
    (tmp_path / "neighbours.json").write_text(
        '{"species": ["hog"], "usual": [1], "losses": [1, 1, 1], "colour": 1}'
    )
    with pytest.raises(
        InputError, match=r"neighbours\.json: not readable .*; delete it or run `primatrix neighbours`"
    ):
        read_neighbours(tmp_path)
