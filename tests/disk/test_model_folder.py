import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from primatrix.disk.model_folder import (
    digest_model,
    parse_facts,
    read_epochs,
    read_facts,
    read_state_facts,
    update_facts,
    write_facts,
)
from primatrix.errors import ModelError


def make_model(folder: Path, **facts: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_facts(folder, {"name": "lrcn", "weights_sha256": "abc", **facts})
    return folder


def write_state(folder: Path, facts: object) -> Path:
    path = folder / "training.safetensors"
    save_file({"step": np.zeros(1)}, path, metadata={"primatrix": json.dumps(facts)})
    return path


def test_facts_come_back_with_the_version_of_their_format(tmp_path: Path) -> None:
    assert read_facts(make_model(tmp_path / "m")) == {
        "format_version": 1, "name": "lrcn", "weights_sha256": "abc",
    }  # fmt: skip


def test_facts_are_changed_one_by_one(tmp_path: Path) -> None:
    update_facts(make_model(tmp_path / "m"), calibration={"floors": [0.1]}, name="motion")
    assert read_facts(tmp_path / "m") == {
        "format_version": 1, "name": "motion", "weights_sha256": "abc", "calibration": {"floors": [0.1]},
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["model.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no model.json in it, so no whole model; save it again or name another folder"),
        ("{", "model.json: not a JSON object, so not a saved model; save it again or name another folder"),
        ("[]", "model.json: not a JSON object, so not a saved model"),
        ('{"name": "lrcn"}', "got model format None, wanted 1; use the primatrix that saved it"),
        ('{"format_version": 2}', "got model format 2, wanted 1; use the primatrix that saved it"),
    ],
)
def test_a_folder_without_a_whole_model_gets_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "model.json").write_text(text)
    for ask in (read_facts, read_epochs, lambda folder: update_facts(folder, name="other")):
        with pytest.raises(ModelError) as caught:
            ask(tmp_path)
        assert message in str(caught.value)
        assert str(caught.value).startswith(str(tmp_path))
        assert "\n" not in str(caught.value)


def test_only_an_object_is_facts() -> None:
    assert parse_facts(b'{"a": 1}') == {"a": 1}
    assert [parse_facts(text) for text in ("[1]", "1", "", b"\xff")] == [None] * 4


def test_epochs_stand_in_the_head_of_the_training_state(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    assert read_epochs(folder) == []
    write_state(folder, {"epochs": [{"loss": 0.5}, {"loss": 0.25}], "step": 10})
    assert read_epochs(folder) == [{"loss": 0.5}, {"loss": 0.25}]
    write_state(folder, {"step": 0})
    assert read_epochs(folder) == []


def test_tensors_of_others_have_no_facts_and_what_is_damaged_says_so(tmp_path: Path) -> None:
    save_file({"step": np.zeros(1)}, tmp_path / "plain.safetensors")
    assert read_state_facts(tmp_path / "plain.safetensors") == {}
    path = write_state(tmp_path, {"epochs": []})
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(
        ModelError, match=r"training\.safetensors: not readable as safetensors .*copy or save it again"
    ):
        read_state_facts(path)


def test_the_digest_changes_with_weights_and_calibration_and_nothing_else(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    first = digest_model(folder)
    assert len(first) == 64
    update_facts(folder, scores={"loss": 0.1})
    assert digest_model(folder) == first
    update_facts(folder, calibration={"floors": [0.1]})
    calibrated = digest_model(folder)
    update_facts(folder, weights_sha256="abd")
    assert len({first, calibrated, digest_model(folder)}) == 3


def test_the_digest_of_an_ensemble_is_that_of_all_its_members(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", members=[["one"], ["two"]])
    make_model(folder / "one")
    make_model(folder / "two")
    before = digest_model(folder)
    update_facts(folder / "two", weights_sha256="other")
    assert digest_model(folder) != before


def test_where_no_model_lies_the_digest_is_empty(tmp_path: Path) -> None:
    assert digest_model(tmp_path / "nowhere") == ""
    write_facts(tmp_path, {"name": "without weights"})
    assert digest_model(tmp_path) == ""
