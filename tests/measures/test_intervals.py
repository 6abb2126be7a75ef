import numpy as np
import pytest
from scipy.stats import binomtest

from primatrix.measures.intervals import clopper_pearson


@pytest.mark.parametrize(("hits", "clips"), [(0, 10), (3, 10), (10, 10), (500, 9999)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_is_scipys_exact_one(hits: int, clips: int, confidence: float) -> None:
    theirs = binomtest(hits, clips).proportion_ci(confidence, method="exact")
    assert clopper_pearson(hits, clips, confidence=confidence) == pytest.approx((theirs.low, theirs.high))


def test_none_and_all_end_at_0_and_1_exactly() -> None:
    assert clopper_pearson(0, 7)[0] == 0.0
    assert clopper_pearson(7, 7)[1] == 1.0


def test_no_clips_have_no_interval() -> None:
    assert np.isnan(clopper_pearson(0, 0)).all()
