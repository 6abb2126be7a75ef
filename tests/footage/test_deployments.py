from pathlib import Path

import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.footage.deployments import Deployments, read_deployments
from primatrix.footage.places import match_sites


def read(folder: Path, text: str) -> Deployments:
    (folder / "d.csv").write_text(text, encoding="utf-8")
    return read_deployments(folder / "d.csv")


def test_a_row_per_clip_tells_its_site_deployment_and_time(tmp_path: Path) -> None:
    table = read(tmp_path, "filename,site,recorded_at,mood\na.mp4,007,2016-03-19T09:36:38,good\n")
    assert table.look_up(["a.mp4", "b.mp4"]).to_numpy().tolist() == [
        ["007", "007", "2016-03-19T09:36:38", ""],
        ["", "", "", ""],
    ]


def test_a_site_with_a_space_at_its_end_is_no_other_site(tmp_path: Path) -> None:
    table = read(tmp_path, "filename,site\na.mp4,north\nb.mp4,north \n")
    assert table.look_up(["a.mp4", "b.mp4"]).to_numpy().tolist() == [["north", "north", "", ""]] * 2


def test_a_row_per_folder_is_of_all_clips_below_it_the_deepest_first(tmp_path: Path) -> None:
    table = read(tmp_path, "folder,locationID,deploymentID\ncard\\,north,d1\ncard/2,south,d2\n")
    names = ["card/1/a.mp4", "card/2/x/b.mp4", "other/c.mp4", "d.mp4"]
    assert table.look_up(names)["site"].tolist() == ["north", "south", "", ""]
    assert table.look_up(names)["deployment"].tolist() == ["d1", "d2", "", ""]


def test_a_table_of_excel_with_decimal_commas_is_read(tmp_path: Path) -> None:
    text = "site;latitude;longitude;start\r\nTaï;5,5;-3,25;2023-04-15T06:30:12\r\n"
    (tmp_path / "d.csv").write_bytes(text.encode("cp1252"))
    facts = read_deployments(tmp_path / "d.csv").by_deployment()
    assert facts.loc["Taï", ["latitude", "longitude"]].tolist() == ["5.5", "-3.25"]


def test_clips_and_folders_are_found_however_the_table_writes_them(tmp_path: Path) -> None:
    names = ["card 1/a.mp4", "card 1/DCIM/b.mp4", "card 2/c.mp4"]
    table = read(tmp_path, "filename,site\nD:\\trip\\CARD 1\\A.MP4,north\nD:\\trip\\card 2\\c,south\n")
    assert table.look_up(names)["site"].tolist() == ["north", "", "south"]
    table = read(tmp_path, "folder,site\nTrip\\Card 1\\,north\n./trip/card 2,south\n")
    assert table.look_up(names)["site"].tolist() == ["north", "north", "south"]
    table = read(tmp_path, "folder,site\ncard 1,north\nother/trip,south\n")
    assert table.look_up(names, root="/data/trip")["site"].tolist() == ["north", "north", ""]
    with pytest.raises(InputError, match=r"d\.csv: a\.mp4 may be x/a\.mp4 or y/a\.mp4"):
        read(tmp_path, "filename,site\na.mp4,north\n").look_up(["x/a.mp4", "y/a.mp4"])


def test_a_row_per_deployment_is_found_by_what_paths_tell(tmp_path: Path) -> None:
    names = ["north/1/a.mp4", "north/2/b.mp4", "south/1/c.mp4", "stray.mp4"]
    known = match_sites(names, "{site}/{visit}/{file}")
    table = read(tmp_path, "deployment,site,latitude\nnorth/1,Baobab,5.5\nsouth,Ridge,5.6\n")
    found = table.look_up(names, known=known)
    assert found["site"].tolist() == ["Baobab", "", "Ridge", ""]
    assert found["deployment"].tolist() == ["north/1", "", "south/1", ""]
    assert table.look_up(names).to_numpy().tolist() == [[""] * 4] * 4


def test_a_shift_of_a_clock_is_found_by_clip_folder_or_deployment(tmp_path: Path) -> None:
    names = ["north/1/a.mp4", "south/1/c.mp4"]
    assert read(tmp_path, "filepath,time_shift\nnorth/1/a.mp4,+01:00\n").look_up(names)["time_shift"].tolist() == [
        "+01:00", ""]  # fmt: skip
    assert read(tmp_path, "folder,time_shift\nsouth,-3d\n").look_up(names)["time_shift"].tolist() == [
        "",
        "-3d",
    ]
    known = match_sites(names, "{site}/{visit}/{file}")
    table = read(tmp_path, "site,time_shift\nnorth,+01:00\n")
    assert table.look_up(names, known=known)["time_shift"].tolist() == ["+01:00", ""]


def test_one_camera_at_each_site_needs_no_name_of_its_own(tmp_path: Path) -> None:
    table = read(tmp_path, "site,latitude,longitude\nnorth,5.5,-3.25\n")
    assert (table.key, table.by_deployment().index.tolist()) == ("deployment", ["north"])


def test_a_file_with_path_and_name_of_each_clip_goes_by_the_path(tmp_path: Path) -> None:
    table = read(tmp_path, "filename,filepath,site\na.mp4,card/a.mp4,north\na.mp4,b/a.mp4,south\n")
    assert table.look_up(["b/a.mp4"])["site"].tolist() == ["south"]


def test_rows_of_a_deployment_are_put_together_and_must_agree(tmp_path: Path) -> None:
    head = "filename,site,deployment,latitude,longitude,start,baitUse,mood\n"
    rows = "a,n,n-1,5.5,-7,2015-01-01T12:00:00,true,good\nb,n,n-1,,,,,bad\nc,n,n-2,5.5,-7,,,\nd,,,,,,,\n"
    facts = read(tmp_path, head + rows).by_deployment(others=["baitUse", "habitat"])
    assert facts.columns.tolist() == ["site", "latitude", "longitude", "start", "end", "baitUse"]
    assert facts.loc["n-1"].tolist() == ["n", "5.5", "-7", "2015-01-01T12:00:00", "", "true"]
    assert facts.loc["n-2"].tolist() == ["n", "5.5", "-7", "", "", ""]
    assert len(facts) == 2
    with pytest.raises(InputError, match=r"latitude of deployment n-1 is both 5\.5 and 5\.6; wanted one"):
        read(tmp_path, head + rows + "e,n,n-1,5.6,-7,,,\n").by_deployment()


def test_sites_of_other_clips_are_refused(tmp_path: Path) -> None:
    table = read(tmp_path, "filename,site\na.mp4,north\n")
    assert table.sites_of(pd.Index(["a.mp4", "b.mp4"])).to_dict() == {"a.mp4": "north", "b.mp4": ""}
    wanted = (
        r"site for none of the 1 labelled clips; got filename a\.mp4, wanted clips as in the labels: c\.mp4"
    )
    with pytest.raises(InputError, match=wanted):
        table.sites_of(pd.Index(["c.mp4"]))
    assert table.sites_of(pd.Index([])).tolist() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "clip,site_name\na,b\n",
            "got columns clip, site_name; wanted a row per clip (`filepath` or `filename`)",
        ),
        ("filepath,x\na,b\n", "got columns filepath, x"),
        ("site\na\n", "got columns site"),
        ("filepath,site\n", "no rows; wanted a row per clip"),
        ("filepath,site\na,b\na,c\n", "filepath 'a' has several rows"),
        ("filepath,site\n,b\n", "filepath '' has several rows or no name"),
        (
            "filepath,recorded_at\na,15.4.23\n",
            "a: recorded_at '15.4.23', wanted day and time of day in ISO 8601",
        ),
        ("filepath,recorded_at\na,2023-04-15\n", "recorded_at '2023-04-15', wanted day and time of day"),
        ("deployment,start\nn,2023-04-15\n", "n: start '2023-04-15', wanted day and time of day"),
        (
            "site,time_shift\na,an hour\n",
            "a: time_shift 'an hour', wanted hours and minutes to add, as +01:00",
        ),
        ("site,latitude,longitude\na,95,0\n", "a: latitude '95', wanted degrees as a number from -90 to 90"),
        (
            'site,latitude,longitude\na,5,"3,25"\n',
            "a: longitude '3,25', wanted degrees as a number from -180 to 180",
        ),
    ],
)
def test_tables_that_do_not_do_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file; wanted a CSV table$"):
        read_deployments(tmp_path / "nowhere.csv")
