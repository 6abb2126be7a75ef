from dataclasses import asdict

from primatrix.results.columns import COLUMNS
from primatrix.results.sighting import Sighting


def test_a_sighting_is_a_row_of_sightings_csv_without_its_clip() -> None:
    row = asdict(Sighting("hog", 0.5, 2.5, 2.0, 0.9))
    assert ["filepath", *row] == list(COLUMNS["sightings"])
