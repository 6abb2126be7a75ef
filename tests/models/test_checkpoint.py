import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model, load_model
from primatrix.models.checkpoint import read_model_folder, read_state, write_model_folder, write_state


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    build_model("lrcn", species=["a", "b"], spec=ClipSpec(2, 16, 16)).save(tmp_path / "model")
    return tmp_path / "model"


def edit_facts(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **changes}))


def refuse(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder_holds_weights_and_readable_facts_and_nothing_else(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == ["model.json", "model.safetensors"]
    facts = json.loads((saved / "model.json").read_text())
    assert facts["species"] == ["a", "b"]
    assert facts["spec"]["height_px"] == 16
    assert facts["format_version"] == 1


def test_missing_folder_and_folder_without_model_are_named(tmp_path: Path) -> None:
    assert "no such folder" in refuse(tmp_path / "nowhere")
    assert "no model.json in it" in refuse(tmp_path)


def test_truncated_and_altered_weights_are_refused(saved: Path) -> None:
    weights = saved / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-100])
    assert "damaged" in refuse(saved)
    weights.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    assert "damaged" in refuse(saved)
    weights.unlink()
    assert "model.safetensors is not" in refuse(saved)


def test_other_format_and_broken_json_are_refused(saved: Path) -> None:
    edit_facts(saved, format_version=2)
    assert "got model format 2, wanted 1" in refuse(saved)
    (saved / "model.json").write_text('{"format_version": 1, "arch')
    assert "not a JSON object" in refuse(saved)
    (saved / "model.json").write_bytes(b"\xff\xfe\x00")
    assert "not a JSON object" in refuse(saved)


def test_facts_that_do_not_describe_a_model_are_refused(saved: Path) -> None:
    edit_facts(saved, spec={"frames": 2})
    assert "does not describe a model" in refuse(saved)
    edit_facts(saved, spec=ClipSpec(2, 16, 16).to_dict(), architecture="eval")
    assert "wanted one of" in refuse(saved)


def test_weights_that_do_not_fit_are_named(saved: Path) -> None:
    edit_facts(saved, species=["a", "b", "c"])
    assert "weight head.bias: got (2,), wanted (3,)" in refuse(saved)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_save_cut_short_leaves_the_old_model_or_the_new(
    saved: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    done, move = [], Path.replace

    def stop(path: Path, target: Path) -> Path:
        if len(done) == writes:
            raise OSError(28, "No space left on device")
        done.append(target)
        return move(path, target)

    before = load_model(saved)
    other = build_model("lrcn", species=["c", "d"], spec=ClipSpec(2, 16, 16), seed=1)
    monkeypatch.setattr(Path, "replace", stop)  # of the new weights, of model.json, then of their first name
    with pytest.raises(OSError, match="No space left"):
        other.save(saved)
    monkeypatch.undo()
    expected = other if writes == 2 else before
    loaded = load_model(saved)
    assert loaded.species == expected.species
    assert torch.equal(loaded.network.head.weight, expected.network.head.weight)
    other.save(saved)
    assert load_model(saved).species == ("c", "d")
    assert sorted(p.name for p in saved.iterdir()) == ["model.json", "model.safetensors"]


def test_failed_write_leaves_the_old_state_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    write_state(path, tensors={"w": torch.ones(2)}, facts={"step": 1})

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_state(path, tensors={"w": torch.zeros(2)}, facts={"step": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
    tensors, facts = read_state(path)
    assert (tensors["w"].tolist(), facts["step"]) == ([1.0, 1.0], 1)


def test_state_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"not this")
    with pytest.raises(ModelError, match="not readable as safetensors"):
        read_state(path)
    save_file({"w": torch.ones(1)}, path)
    with pytest.raises(ModelError, match="got state format None, wanted 1"):
        read_state(path)


def test_weights_that_share_memory_or_are_not_contiguous_are_saved(tmp_path: Path) -> None:
    base = torch.arange(6.0).view(2, 3)
    write_model_folder(tmp_path, weights={"a": base, "b": base.T}, facts={})
    weights, _ = read_model_folder(tmp_path)
    assert torch.equal(weights["b"], base.T)
