from dataclasses import fields

from primatrix.results.columns import COLUMNS
from primatrix.results.sighting import Sighting


def test_a_sighting_has_what_a_row_of_sightings_csv_has_beside_its_clip() -> None:
    assert ["filepath", *(field.name for field in fields(Sighting))] == list(COLUMNS["sightings"])


def test_sightings_of_equal_values_are_one() -> None:
    seen = Sighting("hog", 1.0, 2.5, 2.0, 0.75)
    assert {
        seen,
        Sighting("hog", start_seconds=1.0, end_seconds=2.5, best_seconds=2.0, probability=0.75),
    } == {seen}
