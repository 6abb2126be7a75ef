from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.footage.places import match_sites, read_deployments


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


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_names_places_by_clip_or_by_the_deepest_folder(tmp_path: Path) -> None:
    by_clip = read_deployments(
        write(tmp_path / "a.csv", "filename,site,time\na.mp4,007,2016-03-19T09:36:38\n")
    )
    assert by_clip.look_up(["a.mp4", "b.mp4"]).to_numpy().tolist() == [
        ["007", "007", "2016-03-19T09:36:38"],
        ["", "", ""],
    ]
    text = "folder,locationID,deploymentID\ncard\\,north,d1\ncard/2,south,d2\n"
    by_folder = read_deployments(write(tmp_path / "b.csv", text))
    names = ["card/1/a.mp4", "card/2/x/b.mp4", "other/c.mp4", "d.mp4"]
    assert by_folder.look_up(names)["site"].tolist() == ["north", "south", "", ""]
    assert by_folder.look_up(names)["deployment"].tolist() == ["d1", "d2", "", ""]


def test_tables_that_do_not_do_are_refused_in_one_line(tmp_path: Path) -> None:
    for text, message in (
        ("clip,site\na,b\n", "got columns clip, site; wanted a column `filepath`"),
        ("filepath,x\na,b\n", "got columns filepath, x"),
        ("filepath,site\na,b\na,c\n", "filepath 'a' has several rows"),
        ("filepath,recorded_at\na,15.4.23\n", "time '15.4.23', wanted day and time of day in ISO 8601"),
        ("filepath,recorded_at\na,2023-04-15\n", "time '2023-04-15', wanted day and time of day"),
    ):
        with pytest.raises(InputError, match=message):
            read_deployments(write(tmp_path / "d.csv", text))
