import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primatrix.disk import update_facts
from primatrix.errors import InputError, ModelError
from primatrix.models import build_model, choose_processor, load_model, predict_batches, predict_frames
from primatrix.records import ClipSpec
from primatrix.tagging import fingerprint_model
from primatrix.trust.calibration import Calibration, FittedOn, OperatingPoint, sample_names

SPECIES = ("blank", "duiker")
POINT = OperatingPoint(
    "skip blank", "skip", "blank", 0.9, 0.05, 0.9, "clips", 100, 100, 1,
    (0.6, 0.5, 0.7), (0.4, 0.3, 0.5), {"duiker": 0.99},
)  # fmt: skip
HALF = Calibration(
    SPECIES, ((1.0, 1.0, 0.0), (0.5, 0.5, -1.0)), (0.001, 0.01), (0.99, 0.95), {"blank": 0.5, "duiker": 0.3},
    FittedOn("validation", 100, 4, {"blank": 60, "duiker": 40}, sample_names(f"{i}.mp4" for i in range(100))),
    {"skip blank": POINT},
)  # fmt: skip
CLIPS = np.random.default_rng(0).integers(0, 255, (5, 15, 16, 16, 1), np.uint8)


def test_logits_are_stretched_and_shifted() -> None:
    p = np.array([[0.2, 0.2], [0.7, 0.9]])
    q = HALF.apply(p)
    np.testing.assert_allclose(q[:, 0], p[:, 0])
    np.testing.assert_allclose(np.log(q / (1 - q))[:, 1], 0.5 * np.log(p / (1 - p))[:, 1] - 1)


def test_beyond_floor_and_ceiling_the_order_of_clips_is_kept() -> None:
    p = np.array([[0.0, 0.5], [1e-5, 0.5], [1e-4, 0.5], [0.995, 0.5], [1.0, 0.5]])
    q = HALF.apply(p)[:, 0]
    assert (np.diff(q) > 0).all()
    assert q.min() == pytest.approx(0.0009, rel=1e-3)  # a tenth below the floor of 0.001
    assert q.max() == pytest.approx(0.991, rel=1e-6)  # a tenth of what lies above 0.99


def test_missing_probabilities_stay_missing_and_the_type_stays() -> None:
    q = HALF.apply(np.array([[np.nan, np.nan], [0.5, 0.5]], np.float32))
    assert q.dtype == np.float32
    assert np.isnan(q[0]).all()
    assert np.isfinite(q[1]).all()
    with pytest.raises(InputError, match=r"shape \(3, 5\), wanted \(clips, 2\)"):
        HALF.apply(np.zeros((3, 5)))


def test_json_keeps_every_value() -> None:
    assert Calibration.from_dict(json.loads(json.dumps(HALF.to_dict()))) == HALF
    with pytest.raises(InputError, match="calibrate again"):
        Calibration.from_dict({"species": ["hog"]})
    with pytest.raises(InputError, match="one per species"):
        Calibration.from_dict({**HALF.to_dict(), "floors": [0.1]})


def test_scoring_on_the_clips_it_was_fitted_on_is_refused() -> None:
    HALF.check_unseen(["new.mp4", "other.mp4"])
    with pytest.raises(InputError, match="about 1% of the 100 clips it was fitted on"):
        HALF.check_unseen(["new.mp4", "7.mp4"])


def test_clips_it_was_fitted_on_are_known_by_their_files_where_these_are_known() -> None:
    fitted = replace(HALF.fitted_on, files=sample_names(["aa", "bb"]))
    calibration = replace(HALF, fitted_on=fitted)
    calibration.check_unseen(["7.mp4"], files={"7.mp4": "cc"})  # another card with the same names
    with pytest.raises(InputError, match=r"about 50% of the 100 clips .*by their files"):
        calibration.check_unseen(["new.mp4"], files={"new.mp4": "bb"})
    with pytest.raises(InputError, match="by their names"):
        calibration.check_unseen(["7.mp4"], files={})
    with pytest.raises(InputError, match="by their names"):
        HALF.check_unseen(["7.mp4"], files={"7.mp4": "cc"})


def test_a_point_drops_what_it_says_and_nothing_without_a_promise() -> None:
    assert POINT.drops(np.array([0.89, 0.9, 0.91])).tolist() == [False, False, True]
    assert "loses at most 5% with 90% confidence" in POINT.summary()
    find = OperatingPoint("find hog", "find", "hog", 0.2, 0.1, None, "sites in the mean", 9, 9, 0)
    assert find.drops(np.array([0.1, 0.2])).tolist() == [True, False]
    assert "in the mean" in find.summary()
    nothing = OperatingPoint("find lion", "find", "lion", None, 0.1, 0.9, "clips", 2, 2, 0)
    assert not nothing.drops(np.array([0.0, 1.0])).any()
    assert "too few" in nothing.summary()


def test_a_saved_model_keeps_its_calibration_and_predicts_with_it(tmp_path: Path) -> None:
    model = build_model("lrcn", species=SPECIES, spec=ClipSpec())
    own, plain = model.probabilities(CLIPS), fingerprint_model(model, choose_processor("cpu"))
    model.save(tmp_path)
    assert load_model(tmp_path).calibration is None
    update_facts(tmp_path, calibration=HALF.to_dict())
    loaded = load_model(tmp_path)
    assert loaded.calibration == HALF
    np.testing.assert_allclose(loaded.probabilities(CLIPS), HALF.apply(own), rtol=1e-6)
    (batch,) = predict_batches(loaded, [CLIPS], device="cpu", precision="fp32", compile="off")
    np.testing.assert_allclose(batch, HALF.apply(own), rtol=1e-4)
    assert (
        fingerprint_model(loaded, choose_processor("cpu")) != plain
    )  # answers kept on disk are not mixed up
    loaded.save(tmp_path)
    assert load_model(tmp_path).calibration == HALF


def test_frames_are_mapped_as_clips_are() -> None:
    model = build_model("motion", species=SPECIES, spec=ClipSpec(5, 32, 32))
    clips = np.random.default_rng(1).integers(0, 255, (3, 5, 32, 32, 1), np.uint8)
    full = {"device": "cpu", "precision": "fp32"}
    ((own, own_frames),) = predict_frames(model, [clips], **full)
    model.calibration = HALF
    ((mapped, frames),) = predict_frames(model, [clips], **full)
    np.testing.assert_allclose(mapped, HALF.apply(own), rtol=1e-5)
    np.testing.assert_allclose(frames, HALF.apply(own_frames), rtol=1e-5)


def test_a_calibration_for_other_species_is_refused(tmp_path: Path) -> None:
    build_model("lrcn", species=["blank", "hog"], spec=ClipSpec()).save(tmp_path)
    update_facts(tmp_path, calibration=HALF.to_dict())
    with pytest.raises(ModelError, match="its calibration is for other species"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="no such folder; wanted the folder of a saved model"):
        update_facts(tmp_path / "nowhere", calibration=None)
