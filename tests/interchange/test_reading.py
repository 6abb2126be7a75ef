import numpy as np
import pytest

from primatrix.interchange.reading import make_table


def test_rows_have_the_columns_and_kinds_of_the_results_tables() -> None:
    rows = [("a.mp4", "hog", 1, "2.5", 2, "0.1"), ("b.mp4", "hog", 0, 0, 0, None)]
    table = make_table(rows, "sightings")
    assert {name: str(kind) for name, kind in table.dtypes.items() if name.endswith("seconds")} == {
        "start_seconds": "float64", "end_seconds": "float64", "best_seconds": "float64"}  # fmt: skip
    assert table["end_seconds"].tolist() == [2.5, 0.0]
    assert table["probability"].iloc[0] == np.float32(0.1)
    assert np.isnan(table["probability"].iloc[1])


def test_no_rows_are_a_table_too() -> None:
    table = make_table([], "failures")
    assert table.columns.tolist() == ["filename", "stage", "reason"]
    assert table.empty


def test_a_word_where_a_number_belongs_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="soon"):
        make_table([("a.mp4", "hog", "soon", 1, 1, 1)], "sightings")
