"""Packages of others: event-level observations, media at addresses, odd times."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import ExportOptions, export_results, read_export
from primatrix.interchange.labels import read_labels
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]
YEAR = "2023-01-01T00:00:00Z,2023-12-31T00:00:00Z"
DEPLOYMENTS = f"d1,Ridge,5.5,-3,{YEAR}\nd2,,5.5,-3,{YEAR}\n"
HEADS = {
    "deployments": "deploymentID,locationName,latitude,longitude,deploymentStart,deploymentEnd\n",
    "media": "mediaID,deploymentID,timestamp,filePath,filePublic,fileName,fileMediatype\n",
    "observations": "observationID,deploymentID,mediaID,eventStart,eventEnd,observationLevel,observationType,"
    "scientificName\n",
}


def write(folder: Path, *, media: list[str], observations: list[str]) -> Path:
    """A package of another program; media are `id,deployment,time,path[,name]`, observations are without their id."""
    rows = [row.split(",") for row in media]
    tables = {
        "deployments": DEPLOYMENTS,
        "media": "".join(
            f"{','.join(row[:4])},true,{row[4] if len(row) > 4 else ''},video/mp4\n" for row in rows
        ),
        "observations": "".join(f"o{i},{row}\n" for i, row in enumerate(observations)),
    }
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(HEADS[name] + text)
    resources = [{"name": name, "path": f"{name}.csv"} for name in tables]
    (folder / "datapackage.json").write_text(json.dumps({"resources": resources}))
    return folder


def test_packages_of_others_give_labels_and_stretches(tmp_path: Path, give: Give, make_dated: Make) -> None:
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    rows = pd.read_csv(out / "observations.csv", dtype=str, keep_default_na=False)
    rows.assign(observationTags="").drop(columns=["sex", "count"]).to_csv(
        out / "observations.csv", index=False
    )
    reading = read_export(out / "datapackage.json")
    assert reading.rows["label"].tolist() == ["Cephalophinae", ""]
    assert reading.sightings[["start_seconds", "end_seconds", "best_seconds"]].to_numpy().tolist() == [
        [2.0, 8.0, 5.0]
    ]


def test_an_observation_of_an_event_is_of_the_media_taken_in_it(tmp_path: Path) -> None:
    media = [
        "m1,d1,2023-04-15T06:30:00Z,a.mp4",
        "m2,d1,2023-04-15T08:30:30+02:00,b.mp4",  # 06:30:30 at Greenwich
        "m3,d1,2023-04-15T06:31:00Z,c.mp4",
        "m4,d1,2023-04-15T06:31:01Z,d.mp4",
        "m5,d2,2023-04-15T06:30:30Z,e.mp4",
    ]
    observations = ["d1,,2023-04-15T06:30:00Z,2023-04-15T06:31:00Z,event,animal,Sus scrofa",
                    "d1,,2023-04-15T06:30:20Z,2023-04-15T06:30:40Z,event,human,",
                    "d2,,2023-04-15T06:30:30Z,2023-04-15T06:30:30Z,event,blank,"]  # fmt: skip
    reading = read_export(write(tmp_path, media=media, observations=observations))
    assert sorted(reading.rows.itertuples(index=False, name=None)) == [
        ("a.mp4", "Sus scrofa", "Ridge"),
        ("b.mp4", "Sus scrofa", "Ridge"),
        ("b.mp4", "human", "Ridge"),
        ("c.mp4", "Sus scrofa", "Ridge"),
        ("d.mp4", "", "Ridge"),
        ("e.mp4", "blank", "d2"),
    ]
    assert reading.sightings.empty  # of an event nobody knows when in a clip


def test_what_a_clip_shows_itself_goes_before_what_its_event_shows(tmp_path: Path) -> None:
    media = [f"m{i},d1,2023-04-15T06:30:0{i}Z,{i}.mp4" for i in range(4)]
    span = "2023-04-15T06:30:00Z,2023-04-15T06:30:09Z"
    observations = [f"d1,,{span},event,animal,Sus scrofa", f"d1,m0,{span},media,blank,",
                    f"d1,m1,{span},media,animal,Panthera leo", f"d1,m2,{span},media,unclassified,",
                    f"d1,,{span},event,blank,"]  # fmt: skip
    labels = read_labels(write(tmp_path, media=media, observations=observations)).table
    seen = {clip: labels.columns[row == 1].tolist() for clip, row in labels.iterrows()}
    assert seen == {
        "0.mp4": ["blank"],
        "1.mp4": ["Panthera leo"],
        "2.mp4": ["Sus scrofa"],
        "3.mp4": ["Sus scrofa"],
    }


def test_a_file_at_an_address_goes_by_its_name(tmp_path: Path) -> None:
    media = [
        "m1,d1,2023-04-15T06:30:00Z,https://multimedia.example.org/assets/1/file,IMG_1.MP4",
        "m2,d1,2023-04-15T06:31:00Z,https://multimedia.example.org/assets/2/file,IMG_2.MP4",
        "m3,d2,2023-04-15T06:30:00Z,http://multimedia.example.org/assets/3/file,IMG_2.MP4",
        "m4,d2,2023-04-15T06:30:00Z,https://multimedia.example.org/assets/4.mp4",
        "m5,d2,2023-04-15T06:30:00Z,media/b.mp4,IMG_1.MP4",
    ]
    reading = read_export(write(tmp_path, media=media, observations=[]))
    assert reading.rows["filepath"].tolist() == [
        "IMG_1.MP4", "d1/IMG_2.MP4", "d2/IMG_2.MP4", "https://multimedia.example.org/assets/4.mp4", "media/b.mp4",
    ]  # fmt: skip
    twice = [media[0], media[0].replace("m1", "m9")]
    with pytest.raises(
        InputError, match=r"media: several are called d1/IMG_1\.MP4; wanted a fileName of its own"
    ):
        read_export(write(tmp_path, media=twice, observations=[]))


@pytest.mark.parametrize(
    ("media", "observation", "message"),
    [
        ("m1,d1,yesterday,a.mp4", "d1,,2023-04-15T06:30:00Z,2023-04-15T06:31:00Z,event,blank,",
         "media m1: timestamp: got 'yesterday', wanted ISO 8601 with a zone"),
        ("m1,d1,2023-04-15T06:30:00Z,a.mp4", "d1,,soon,2023-04-15T06:31:00Z,event,blank,",
         "observations: eventStart: got 'soon', wanted ISO 8601 with a zone"),
        ("m1,d1,2023-04-15T06:30:00Z,a.mp4", "d1,m1,2023-04-15T06:30:00Z,,media,animal,Sus scrofa",
         "observations: eventEnd: got '', wanted ISO 8601 with a zone"),
    ],
)  # fmt: skip
def test_times_that_are_none_are_refused_in_the_files_own_words(
    tmp_path: Path, media: str, observation: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_export(write(tmp_path, media=[media], observations=[observation]))
    assert f"not built as camtrap-dp is: {message}; run" in str(caught.value)
