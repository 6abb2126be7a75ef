import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primatrix.interchange.checks import check_camtrap, check_megadetector, check_speciesnet
from primatrix.interchange.formats import ExportOptions, check_export, export_results
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, give: Give, make_dated: Make, small: Results) -> Path:
    """A folder with a valid file of each format, to be copied and spoilt."""
    folder = tmp_path_factory.mktemp("whole")
    export_results(make_dated(), "camtrap-dp", folder / "package", options=give(folder / "told"))
    for to in ("megadetector", "speciesnet"):
        export_results(small, to, folder / f"{to}.json")
    return folder


@pytest.fixture
def package(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole / "package", tmp_path / "package"))


def spoil(path: Path, change: Callable[[Any], object]) -> Path:
    """The JSON file, changed."""
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("observations.csv", ",a,", ",nowhere,", "observations.deploymentID: 'nowhere' is not in deployments"),
        ("observations.csv", "animal", "beast", "observations.observationType: 'beast'; wanted one of animal"),
        ("observations.csv", "06:30:08+01:00", "05:30:08+01:00", "observations.eventEnd: '2026-03-01T05:30:08"),
        ("observations.csv", "0.9,", "9,", "classificationProbability: '9'; wanted a number from 0 to 1"),
        ("media.csv", "2026-03-01T06:30:00+01:00", "2026-03-01 06:30", "media.timestamp: '2026-03-01 06:30'; wanted"),
        ("media.csv", "a/IMG_1.MP4", "../IMG_1.MP4", "media.filePath: '../IMG_1.MP4'; wanted text like"),
        ("deployments.csv", "latitude", "height", "no column `latitude`"),
        ("datapackage.json", '"opportunistic"', '"random"', "samplingDesign 'random'; wanted one of"),
        ("datapackage.json", '"taxonomic"', '"taxa"', "no `taxonomic`"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_wrong_in_a_package(
    package: Path, table: str, old: str, new: str, message: str
) -> None:
    text = (package / table).read_text()
    assert old in text
    (package / table).write_text(text.replace(old, new))
    problems = check_camtrap(package)
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("to", "change", "message"),
    [
        ("megadetector", lambda d: d["info"].update(format_version=1.6), "info.format_version: got 1.6"),
        ("megadetector", lambda d: d["images"][0].pop("frame_rate"), "MP4: frame_rate: got None"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].pop("frame_number"), "frame_number: got None"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(bbox=[0, 0, 2, 1]), "bbox: got [0, 0, 2, 1]"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(bbox=[0, 0.5, 1, 0.6]), "bbox: got [0, 0.5,"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(conf=1), "conf: got 1, wanted 0.0 to 1.0"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(category="9"), "category: got '9'"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(classifications=[["0", 0.1], ["1", 0.2]]),
         "classifications: not in falling order"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(classifications=[["9", 0.1]]),
         "classifications: a number that classification_categories does not have"),
        ("megadetector", lambda d: d["images"][0].update(frame_rate=0), "frame_rate: got 0, wanted a number above 0"),
        ("megadetector", lambda d: d["images"][0].update(frames_processed=[0, -1]), "frames_processed: wanted a list"),
        ("megadetector", lambda d: d["images"][0].update(detections=None), "detections: got None, wanted a list"),
        ("megadetector", lambda d: d["images"][4].update(failure=5), "failure: got 5, wanted text or null"),
        ("megadetector", lambda d: d["images"][0].pop("file"), "entry 0: file: got None, wanted a path"),
        ("megadetector", lambda d: d.pop("detection_categories"), "detection_categories: got NoneType, wanted names"),
        ("megadetector", lambda d: d["classification_category_descriptions"].pop("0"), "not the numbers of"),
        ("megadetector", lambda d: d.update(images={}), "images: wanted a list"),
        ("megadetector", lambda d: d["images"][4].update(detections=[]), "failure with detections"),
        ("megadetector", lambda d: d["images"].append(d["images"][0]), "stands there twice"),
        ("megadetector", lambda d: d["classification_categories"].update(x="fox"), "got 'x': 'fox'"),
        ("speciesnet", lambda d: d["predictions"][0]["classifications"]["scores"].reverse(), "not in falling order"),
        ("speciesnet", lambda d: d["predictions"][0].update(prediction="Hog"), "label 'Hog'; wanted id;class;order"),
        ("speciesnet", lambda d: d["predictions"][0].update(prediction="x;;;;;;Hog"), "label 'x;;;;;;Hog'; wanted id"),
        ("speciesnet", lambda d: d["predictions"][0].update(failures="CLASSIFIER"), "failures: got 'CLASSIFIER'"),
        ("speciesnet", lambda d: d["predictions"][0].pop("model_version"), "model_version: got None"),
        ("speciesnet", lambda d: d["predictions"][0].pop("prediction_source"), "wanted prediction_score and"),
        ("speciesnet", lambda d: d["predictions"][0]["classifications"]["scores"].pop(), "5 classes and 4 scores"),
        ("speciesnet", lambda d: d["predictions"][0]["detections"][0].update(bbox=[0, 0, 1]), "wanted conf and bbox"),
        ("speciesnet", lambda d: d["predictions"][0]["detections"][0].pop("label"), "wanted category and label"),
        ("speciesnet", lambda d: d["predictions"][4].pop("failures"), "neither an answer nor failures"),
        ("speciesnet", lambda d: d["predictions"].append(d["predictions"][0]), "stands there twice"),
        ("speciesnet", lambda d: d["info"].update(format_version=5), "info.format_version: got 5, wanted text"),
        ("speciesnet", lambda d: d.update(predictions=None), "predictions: wanted a list"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_wrong_in_json(
    whole: Path, tmp_path: Path, to: str, change: Callable[[Any], object], message: str
) -> None:
    path = Path(shutil.copy(whole / f"{to}.json", tmp_path))
    problems = check_export(spoil(path, change))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(profile="data-package"), "profile 'data-package'; wanted the address of Camtrap DP 1.0's"),
        (lambda d: d["project"].pop("individualAnimals"), "project: no `individualAnimals`"),
        (lambda d: d["project"].update(captureMethod=["film"]), "captureMethod ['film']; wanted some of"),
        (lambda d: d["contributors"].append({"title": "B", "role": "cook"}), "contributor {'title': 'B', 'role':"),
        (lambda d: d["temporal"].pop("end"), "temporal: no `end`"),
        (lambda d: d["taxonomic"].append({"taxonID": "1"}), "taxonomic: an entry without scientificName"),
        (lambda d: d["resources"].pop(0), "resources: no deployments; wanted deployments, media and observations"),
        (lambda d: d["resources"][1].update(path="gone.csv"), "gone.csv: no such file"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_wrong_in_a_packages_description(
    package: Path, change: Callable[[Any], object], message: str
) -> None:
    assert check_camtrap(package) == []
    [problem] = check_camtrap(spoil(package / "datapackage.json", change))
    assert message in problem


def test_a_package_in_which_nothing_was_seen_may_have_no_taxa(package: Path) -> None:
    assert check_camtrap(spoil(package / "datapackage.json", lambda d: d.update(taxonomic=[]))) == []


def test_a_failed_video_needs_no_frame_rate_and_a_still_neither_rate_nor_frame(tmp_path: Path) -> None:
    box = {"category": "1", "conf": 0.5, "bbox": [0, 0.25, 1, 0.75]}
    path = tmp_path / "md.json"
    path.write_text(json.dumps({
        "info": {"format_version": "1.6"}, "detection_categories": {"1": "animal"},
        "images": [
            {"file": "a.mp4", "failure": "gone", "detections": None, "frame_rate": -1, "frames_processed": []},
            {"file": "b.JPG", "detections": [box]},
            {"file": "c.mp4", "frame_rate": 24, "frames_processed": [3], "detections": [{**box, "frame_number": 3}]},
        ],
    }))  # fmt: skip
    assert check_megadetector(path) == []


def test_what_is_written_has_no_problem(whole: Path) -> None:
    assert check_megadetector(whole / "megadetector.json") == []
    assert check_speciesnet(whole / "speciesnet.json") == []
