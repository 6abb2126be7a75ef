import numpy as np

from primatrix.records import Box
from primatrix.results.columns import COLUMNS
from primatrix.results.sighting import Sighting


def test_a_sighting_has_what_a_row_of_sightings_csv_has_beside_its_clip() -> None:
    seen = Sighting("hog", 1.0, 2.5, 2.0, 0.75, Box(0.1, 0.2, 0.3, 0.4))
    row = dict(zip(COLUMNS["sightings"], ("a.mp4", *seen.to_row()), strict=True))
    assert row == {
        "filepath": "a.mp4", "species": "hog", "start_seconds": 1.0, "end_seconds": 2.5, "best_seconds": 2.0,
        "probability": 0.75, "left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4,
    }  # fmt: skip


def test_where_it_is_may_be_unknown() -> None:
    assert np.isnan(Sighting("hog", 1.0, 2.5, 2.0, 0.75).to_row()[5:]).all()


def test_sightings_of_equal_values_are_one() -> None:
    seen = Sighting("hog", 1.0, 2.5, 2.0, 0.75)
    assert {
        seen,
        Sighting("hog", start_seconds=1.0, end_seconds=2.5, best_seconds=2.0, probability=0.75),
    } == {seen}
