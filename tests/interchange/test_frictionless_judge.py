import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import ExportOptions, check_export, export_results
from primatrix.interchange.frictionless_judge import ask_frictionless, has_frictionless
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]


def test_frictionless_finds_no_error_with_the_published_schemas(
    tmp_path: Path, schemas: Path, give: Give, make_dated: Make
) -> None:
    pytest.importorskip("frictionless")
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    assert check_export(out, schemas=schemas) == []
    (out / "media.csv").write_text((out / "media.csv").read_text().replace("video/mp4", "mp4"))
    described = json.loads((out / "datapackage.json").read_text())
    described["project"].pop("title")
    (out / "datapackage.json").write_text(json.dumps(described))
    problems = ask_frictionless(out, schemas=schemas)
    assert any("fileMediatype" in line for line in problems)
    assert any("$.project: 'title' is a required property" in line for line in problems)
    for resources in (None, [{}]):  # no table that could be judged
        (out / "datapackage.json").write_text(json.dumps(described | {"resources": resources}))
        found = ask_frictionless(out, schemas=schemas)
        assert any("resources" in line for line in found), found


def test_without_the_library_the_extra_is_named_and_the_check_goes_on_alone(
    tmp_path: Path, give: Give, make_dated: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    monkeypatch.setitem(sys.modules, "frictionless", None)
    assert not has_frictionless()
    with pytest.raises(
        InputError, match=r"frictionless is not installed; pip install 'primatrix\[camtrap\]'"
    ):
        ask_frictionless(out)
    assert check_export(out) == []


def test_schemas_that_cannot_be_fetched_are_said_with_what_to_do(
    tmp_path: Path, give: Give, make_dated: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("frictionless")

    def refuse(*_: object) -> None:
        raise OSError("no network")

    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(
        InputError, match=r"frictionless was not asked: cannot retrieve .* --schemas"
    ) as caught:
        ask_frictionless(out)
    assert "\n" not in str(caught.value)
