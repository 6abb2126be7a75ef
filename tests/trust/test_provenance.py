from pathlib import Path

import pytest

from primatrix.disk import combine_digests, digest_weights, update_facts, write_facts
from primatrix.errors import InputError
from primatrix.results import Origin, write_origin
from primatrix.trust.provenance import find_trained, refuse_others_answers, refuse_trained
from primatrix.trust.training_clips import TrainingClips

ONE, OTHER = "00" * 16, "11" * 16


def write_model(folder: Path, clips: dict[str, str], *, digest: str = "ab" * 32) -> Path:
    folder.mkdir(parents=True)
    write_facts(folder, {"weights_sha256": digest, "trained_on": TrainingClips.of(clips).to_dict()})
    return folder


def write_table(path: Path, text: str = "filepath,hog\na.mp4,0.5\nb.mp4,0.5\n") -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_answers_of_another_model_are_refused_and_unnamed_ones_taken(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m", {})
    refuse_others_answers(None, "val.csv", model=model)
    refuse_others_answers(Origin("lrcn", ""), "val.csv", model=model)
    refuse_others_answers(Origin("lrcn", "ab" * 32), "val.csv", model=model)
    wanted = r"val\.csv: made by another model \(motion, cdcdcdcd\) than .*m \(abababab\); wanted this one's answers"
    with pytest.raises(InputError, match=wanted):
        refuse_others_answers(Origin("motion", "cd" * 32), "val.csv", model=model)


def test_a_calibration_leaves_the_model_the_same_and_other_members_make_another_ensemble(
    tmp_path: Path,
) -> None:
    write_model(tmp_path / "e" / "fold0", {}, digest="cd" * 32)
    write_facts(tmp_path / "e", {"weights_sha256": "ab" * 32, "members": [["fold0"]]})
    before = digest_weights(tmp_path / "e")
    assert before == combine_digests("ab" * 32, [["cd" * 32]])
    update_facts(tmp_path / "e", calibration={"species": []})
    assert digest_weights(tmp_path / "e") == before
    update_facts(tmp_path / "e" / "fold0", weights_sha256="ef" * 32)
    assert digest_weights(tmp_path / "e") != before


def test_clips_it_was_trained_on_are_counted_and_named(tmp_path: Path) -> None:
    model, path = (
        write_model(tmp_path / "m", {"a.mp4": ONE, "c.mp4": OTHER}),
        write_table(tmp_path / "val.csv"),
    )
    wanted = r"m was trained on 1 of these 2 labelled clips by their names .*, the first a\.mp4; wanted clips"
    with pytest.raises(InputError, match=wanted):
        refuse_trained(path, ["a.mp4", "b.mp4"], model=model)
    write_origin(path, Origin("lrcn", "", files={"a.mp4": OTHER, "b.mp4": "22" * 16}))
    with pytest.raises(InputError, match=r"trained on 1 of these 2 labelled clips, the first a\.mp4"):
        refuse_trained(path, ["a.mp4", "b.mp4"], model=model)  # the file of c.mp4 under another name


def test_another_card_with_the_same_names_is_taken(tmp_path: Path) -> None:
    model, path = (
        write_model(tmp_path / "m", {"a.mp4": ONE, "b.mp4": OTHER}),
        write_table(tmp_path / "val.csv"),
    )
    write_origin(path, Origin("lrcn", "", files={"a.mp4": "22" * 16, "b.mp4": "33" * 16}))
    refuse_trained(path, ["a.mp4", "b.mp4"], model=model)


def test_out_of_fold_each_clip_is_held_against_the_member_that_answers_for_it(tmp_path: Path) -> None:
    write_model(tmp_path / "e" / "fold0", {"b.mp4": ONE})
    write_model(tmp_path / "e" / "fold1", {"a.mp4": OTHER})
    write_facts(tmp_path / "e", {"weights_sha256": "ab" * 32, "members": [["fold0", "fold1"]]})
    rows = "filepath,fold,hog\na.mp4,{},0.5\nb.mp4,{},0.5\n"
    right, wrong = (write_table(tmp_path / f"{a}.csv", rows.format(a, b)) for a, b in ((0, 1), (1, 1)))
    clips = ["a.mp4", "b.mp4"]
    assert find_trained(right, clips, model=tmp_path / "e", out_of_fold=True) == []
    assert find_trained(wrong, clips, model=tmp_path / "e", out_of_fold=True) == ["a.mp4"]
    assert find_trained(right, clips, model=tmp_path / "e") == clips


def test_answers_that_are_called_out_of_fold_but_are_the_models_own_are_held_against_all_it_knows(
    tmp_path: Path,
) -> None:
    model, path = write_model(tmp_path / "m", {"a.mp4": ONE}), write_table(tmp_path / "val.csv")
    assert find_trained(path, ["a.mp4"], model=model, out_of_fold=True) == []  # of models that are not here
    write_origin(path, Origin("lrcn", "ab" * 32, files={"a.mp4": ONE}))
    assert find_trained(path, ["a.mp4"], model=model, out_of_fold=True) == ["a.mp4"]
