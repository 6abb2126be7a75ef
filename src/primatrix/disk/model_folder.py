"""A model's folder, as far as it is read without its weights: the facts in model.json, the epochs of its training."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from primatrix.disk.whole import write_whole
from primatrix.errors import ModelError

__all__ = [
    "FACTS",
    "FORMAT_VERSION",
    "STATE",
    "Facts",
    "combine_digests",
    "digest_model",
    "digest_weights",
    "parse_facts",
    "read_epochs",
    "read_facts",
    "read_state_facts",
    "update_facts",
    "write_facts",
]

FORMAT_VERSION = 1
FACTS = "model.json"
STATE = "training.safetensors"  # of the run that made the model

Facts = dict[str, Any]  # Any: JSON values of several types


def read_facts(folder: Path | str) -> Facts:
    """What model.json says of a saved model; its weights are neither read nor checked.

    Raises ModelError where the folder is missing, holds no model or one of another format, or is damaged.

    >>> read_facts("nowhere")
    Traceback (most recent call last):
    primatrix.errors.ModelError: nowhere: no such folder; wanted the folder of a saved model
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; wanted the folder of a saved model")
    path = folder / FACTS
    if not path.is_file():
        raise ModelError(
            f"{folder}: no {FACTS} in it, so no whole model; save it again or name another folder"
        )
    facts = parse_facts(path.read_bytes())
    if facts is None:
        raise ModelError(
            f"{path}: not a JSON object, so not a saved model; save it again or name another folder"
        )
    if facts.get("format_version") != FORMAT_VERSION:
        got = facts.get("format_version")
        raise ModelError(
            f"{folder}: got model format {got}, wanted {FORMAT_VERSION}; use the primatrix that saved it"
        )
    return facts


def write_facts(folder: Path | str, facts: Facts) -> Path:
    """Write model.json, whole or not at all."""
    text = json.dumps({"format_version": FORMAT_VERSION, **facts}, indent=2, ensure_ascii=False) + "\n"
    return write_whole(Path(folder) / FACTS, lambda file: file.write_text(text, encoding="utf-8"))


def update_facts(folder: Path | str, **changes: Any) -> None:  # Any: JSON values of several types
    """Change facts of a saved model, its weights untouched: a kill leaves the old facts or the new."""
    write_facts(folder, {**read_facts(folder), **changes})


def parse_facts(data: bytes | str) -> Facts | None:
    """The JSON object in a text; None where it holds anything else.

    >>> parse_facts("{}"), parse_facts("[]"), parse_facts("{")
    ({}, None, None)
    """
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):  # no JSON, or nested too deeply to be read
        return None
    return facts if isinstance(facts, dict) else None


def read_epochs(folder: Path | str) -> list[dict[str, float]]:
    """The scores of each epoch of the run that made a model; none where its folder holds no training state.

    Raises ModelError where the folder is no model's, or its training state is damaged.
    """
    read_facts(folder)
    path = Path(folder) / STATE
    return list(read_state_facts(path).get("epochs", [])) if path.is_file() else []


def read_state_facts(path: Path | str) -> Facts:
    """The facts in the head of a file of tensors; none of its tensors is read. ModelError where it is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, str] = file.metadata() or {}
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path}: not readable as safetensors ({error}); copy or save it again") from None
    return parse_facts(header.get("primatrix", "{}")) or {}


def combine_digests(own: str, members: Iterable[Iterable[str]]) -> str:
    """Which weights an ensemble has: those of its stack, and of its members family by family.

    >>> combine_digests("a", [["b"]]) == combine_digests("a", [["c"]])
    False
    """
    values = [own, [list(family) for family in members]]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def digest_weights(folder: Path | str) -> str:
    """Which weights a model's folder holds, whatever its calibration: `Model.digest`. ModelError where it has none."""
    facts = read_facts(folder)
    if not isinstance(facts.get("weights_sha256"), str):
        raise ModelError(f"{Path(folder) / FACTS}: does not name its weights; save the model again")
    if not facts.get("members"):
        return str(facts["weights_sha256"])
    members = [[digest_weights(Path(folder) / name) for name in family] for family in facts["members"]]
    return combine_digests(facts["weights_sha256"], members)


def digest_model(folder: Path | str) -> str:
    """Which weights and calibration a model's folder holds, an ensemble's members' too; empty where there is none."""
    try:
        facts = read_facts(folder)
        values = [facts["weights_sha256"], facts.get("calibration")]
        values += [
            digest_model(Path(folder) / name) for family in facts.get("members") or [] for name in family
        ]
    except (OSError, ModelError, KeyError):
        return ""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
