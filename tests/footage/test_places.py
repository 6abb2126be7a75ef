import pytest

from primatrix.errors import InputError
from primatrix.footage.places import match_sites


def test_a_pattern_names_site_and_deployment_in_any_depth_below() -> None:
    names = ["north/v1/a.AVI", "north/v2/100MEDIA/b\n.AVI", "Taï (süd)/v1/c d.mp4", "stray.mp4"]
    table = match_sites(names, "{site}/{visit}/{file}")
    assert table["site"].tolist() == ["north", "north", "Taï (süd)", ""]
    assert table["deployment"].tolist() == ["north/v1", "north/v2", "Taï (süd)/v1", ""]
    assert match_sites(names, "{site}")["deployment"].tolist() == ["north", "north", "Taï (süd)", ""]


def test_a_pattern_may_cut_a_part_of_the_path() -> None:
    table = match_sites(["T1_cam4_2016/a.avi"], "{deployment}_{site}_{year}/{file}")
    assert table.iloc[0].tolist() == ["cam4", "T1"]


def test_a_regular_expression_fits_anywhere_in_the_path() -> None:
    table = match_sites(["x/Taï_cam192_679012/1.AVI", "y.AVI"], r"(?P<site>cam\d+)_")
    assert table["site"].tolist() == ["cam192", ""]


def test_a_pattern_that_fits_nothing_or_cannot_be_read_is_one_clear_line() -> None:
    for pattern, message in (
        ("{site}/{visit}/{file}", r"fits none of the 2 files, the first 'a.mp4'"),
        ("{visit}/{file}", r"wanted \{site\}"),
        ("(?P<site>", "regular expression"),
        ("{site}/{site}/{file}", "regular expression"),
    ):
        with pytest.raises(InputError, match=message) as error:
            match_sites(["a.mp4", "b.mp4"], pattern)
        assert "\n" not in str(error.value)
