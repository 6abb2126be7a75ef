import numpy as np

from primatrix.results.points import describe_promise, drop_clips, skip_scores

SKIP = {"threshold": 0.9, "max_loss": 0.05, "confidence": 0.9, "unit": "clips"}


def test_a_clip_at_the_threshold_is_not_dropped_for_its_last_digit() -> None:
    for threshold, task in ((0.98123456789, "skip"), (0.20000005, "find")):
        written = float(f"{np.float32(threshold):.7g}")  # as tables hold it
        assert written > threshold if task == "skip" else written < threshold
        assert not drop_clips(np.array([written]), task=task, threshold=threshold).any()


def test_without_a_blank_species_the_surest_animal_decides() -> None:
    scores, name = skip_scores(np.array([[0.9, 0.2], [0.1, 0.3]]), ["duiker", "hog"])
    np.testing.assert_allclose(scores, [0.1, 0.7])
    assert name == "1 - max animal"


def test_a_promise_is_said_with_its_confidence_and_unit() -> None:
    point = {**SKIP, "unit": "sites (12)", "max_loss": 0.005}
    assert describe_promise(point) == "loses at most 0.5 % of them, with 90 % confidence over sites"
    assert (
        describe_promise({**SKIP, "confidence": None}) == "loses at most 5 % of them, in the mean over clips"
    )
