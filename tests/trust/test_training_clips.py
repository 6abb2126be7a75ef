import json
from pathlib import Path

import pytest

from primatrix.disk import write_facts
from primatrix.errors import InputError
from primatrix.trust.training_clips import TrainingClips, read_training_clips

ONE, OTHER = "00" * 16, "11" * 16
TRAINED = TrainingClips.of({"card/IMG_1.MP4": ONE, "card/IMG_2.MP4": ""})


def test_a_clip_is_known_by_its_file_whatever_it_is_called() -> None:
    assert TRAINED.find(["new.mp4"], files={"new.mp4": ONE}) == ["new.mp4"]
    assert TRAINED.find(["card/IMG_1.MP4"], files={"card/IMG_1.MP4": OTHER}) == []


def test_a_clip_whose_file_is_not_known_is_known_by_its_name_however_it_is_written() -> None:
    names = ["card/IMG_1.MP4", "CARD\\img_2.mp4", "card/IMG_3.MP4"]
    assert TRAINED.find(names, files={}) == names[:2]


def test_training_that_knew_no_file_is_asked_for_names() -> None:
    names_only = TrainingClips.of({"a.mp4": ""})
    assert names_only.find(["a.mp4", "b.mp4"], files={"a.mp4": ONE, "b.mp4": OTHER}) == ["a.mp4"]


def test_json_keeps_them_and_what_is_none_is_refused() -> None:
    assert TrainingClips.from_dict(json.loads(json.dumps(TRAINED.to_dict()))) == TRAINED
    assert TRAINED.to_dict()["clips"] == 2
    with pytest.raises(InputError, match="trained_on: got values that are none"):
        TrainingClips.from_dict({"files": ""})


def test_an_ensemble_knows_those_of_all_its_members(tmp_path: Path) -> None:
    for i, name in enumerate(("a.mp4", "b.mp4")):
        (tmp_path / f"fold{i}").mkdir()
        write_facts(tmp_path / f"fold{i}", {"trained_on": TrainingClips.of({name: ONE}).to_dict()})
    write_facts(tmp_path, {"trained_on": None, "members": [["fold0", "fold1"]]})
    known = read_training_clips(tmp_path)
    assert known == TrainingClips.of({"a.mp4": ONE, "b.mp4": ONE})
    assert read_training_clips(tmp_path / "fold0").find(["b.mp4"], files={}) == []
