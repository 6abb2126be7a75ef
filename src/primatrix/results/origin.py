"""Where a table of probabilities comes from: which model gave them, and what the files of its clips are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from primatrix.disk import read_json, read_text_table, write_json
from primatrix.errors import InputError

__all__ = ["Origin", "name_origin", "read_origin", "write_origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The model that gave a table's probabilities, by name and by the digest of its weights (`Model.digest`).

    `calibrated` says whether they are calibrated, `out_of_fold` whether each clip's are those of the one member of an
    ensemble that was not trained on it. `files` says what the file of each clip is (`video.identify`), in hexadecimal
    digits, as far as that is known.
    """

    model: str
    digest: str
    calibrated: bool = False
    out_of_fold: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


def name_origin(path: str | Path) -> Path:
    """Where the origin of a table stands: beside it.

    >>> name_origin("runs/submission.csv").name
    'submission.origin.json'
    """
    return Path(path).with_suffix(".origin.json")


def write_origin(path: str | Path, origin: Origin) -> Path:
    """Write beside a finished table where it comes from; for this very content of the table."""
    facts = {
        "model": origin.model, "model_digest": origin.digest, "calibrated": origin.calibrated,
        "out_of_fold": origin.out_of_fold, "table_sha256": _digest_table(Path(path)),
        "files": {name: file for name, file in origin.files.items() if file},
    }  # fmt: skip
    return write_json(name_origin(path), facts)


def read_origin(path: str | Path) -> Origin | None:
    """Where a table of probabilities comes from: what stands beside it, or in the run.json of a folder of results.

    None where nothing says so, or where the table was changed since.

    >>> read_origin("nowhere/predictions.csv") is None
    True
    """
    path = Path(path)
    if path.name == "predictions.csv" and path.with_name("run.json").is_file():
        return _read_run(path)
    if not name_origin(path).is_file():
        return None
    facts = read_json(name_origin(path))
    if not isinstance(facts.get("files") or {}, dict):
        raise InputError(
            f"{name_origin(path)}: files: got {type(facts['files']).__name__}, wanted files by name; delete it, or "
            "predict again"
        )
    if facts.get("table_sha256") != _digest_table(path):
        return None
    files = {str(name): str(file) for name, file in dict(facts.get("files") or {}).items()}
    return Origin(str(facts.get("model", "")), str(facts.get("model_digest", "")), bool(facts.get("calibrated")),
                  bool(facts.get("out_of_fold")), files)  # fmt: skip


def _read_run(path: Path) -> Origin:
    facts, clips, files = read_json(path.with_name("run.json")), path.with_name("clips.csv"), {}
    table = read_text_table(clips, needed=("filepath",)) if clips.is_file() else pd.DataFrame()
    if "digest" in table.columns:
        pairs = zip(table["filepath"], table["digest"], strict=True)
        files = {str(name): str(file) for name, file in pairs if file}
    calibrated = bool(facts.get("calibration") or facts.get("operating_points"))
    digest = str(facts.get("model_digest") or "")
    return Origin(str(facts.get("model", "")), digest, calibrated, files=files)


def _digest_table(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
