"""Tensors and facts on disk as safetensors and JSON: whole or not there, and never pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, save

from primatrix.errors import ModelError

__all__ = [
    "FORMAT_VERSION",
    "read_model_folder",
    "read_state",
    "update_facts",
    "write_model_folder",
    "write_state",
]

FORMAT_VERSION = 1
WEIGHTS, FACTS = "model.safetensors", "model.json"
NEXT_WEIGHTS = "model.safetensors.next"  # written, but not yet under their own name

Facts = dict[str, Any]  # Any: JSON values of several types
Tensors = dict[str, torch.Tensor]


def write_model_folder(folder: Path | str, *, weights: Mapping[str, torch.Tensor], facts: Facts) -> None:
    """Write `model.safetensors` and `model.json`, whose presence means that the model is whole.

    Killed at any moment, the folder holds the old model or the new one: `model.json` names its weights by their
    digest, and new weights wait beside the old ones until it is there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_model_folder(folder, weights={"w": torch.ones(2)}, facts={"architecture": "none"})
    ...     weights, facts = read_model_folder(folder)
    >>> weights["w"].tolist(), facts["architecture"]
    ([1.0, 1.0], 'none')
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = save(detached(weights))
    facts = {"format_version": FORMAT_VERSION, **facts, "weights_sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    replace_file(folder / NEXT_WEIGHTS, data=data)
    replace_file(folder / FACTS, data=text.encode())
    (folder / NEXT_WEIGHTS).replace(folder / WEIGHTS)


def read_model_folder(folder: Path | str) -> tuple[Tensors, Facts]:
    """The weights and facts that `write_model_folder` wrote.

    Raises ModelError where the folder is missing, holds no model, is of another format or is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; wanted a saved model ({FACTS} and {WEIGHTS})")
    if not (folder / FACTS).is_file():
        raise ModelError(
            f"{folder}: no {FACTS} in it, so no whole model; save it again or name another folder"
        )
    facts = read_facts(folder / FACTS)
    if facts.get("format_version") != FORMAT_VERSION:
        got = facts.get("format_version")
        raise ModelError(
            f"{folder}: got model format {got}, wanted {FORMAT_VERSION}; use the primatrix that saved it"
        )
    return parse_tensors(read_weights(folder, digest=facts.get("weights_sha256")), folder / WEIGHTS), facts


def read_weights(folder: Path, *, digest: object) -> bytes:
    """The bytes of this digest, also where a kill has left them under their first name."""
    found = False
    # Another process may rename the one to the other meanwhile, so the first name is tried again.
    for name in (WEIGHTS, NEXT_WEIGHTS, WEIGHTS):
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        found = True
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    if not found:
        raise ModelError(f"{folder}: {FACTS} is there but {WEIGHTS} is not; copy the whole folder again")
    raise ModelError(f"{folder / WEIGHTS}: damaged, not the bytes that were saved; copy the folder again")


def update_facts(folder: Path | str, **changes: Any) -> None:  # Any: JSON values of several types
    """Change facts of a saved model, its weights untouched: a kill leaves the old facts or the new."""
    path = Path(folder) / FACTS
    if not path.is_file():
        raise ModelError(f"{folder}: no {FACTS} in it, so no whole model; name the folder of a saved model")
    facts = {**read_facts(path), **changes}
    replace_file(path, data=(json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


def read_facts(path: Path) -> Facts:
    """The JSON object in a file; ModelError where it is not one."""
    try:
        facts = json.loads(path.read_bytes())
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise ModelError(
            f"{path}: not a JSON object, so not a saved model; save it again or name another folder"
        )
    return facts


def parse_tensors(data: bytes, path: Path) -> Tensors:
    """Tensors by name from the bytes of a safetensors file."""
    try:
        return load(data)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path}: not readable as safetensors ({error}); copy or save it again") from None


def write_state(path: Path | str, *, tensors: Mapping[str, torch.Tensor], facts: Facts) -> None:
    """Write tensors and facts as ONE file, replaced in one step: a kill leaves the old state or the new."""
    text = json.dumps({"format_version": FORMAT_VERSION, **facts})
    replace_file(Path(path), data=save(detached(tensors), metadata={"primatrix": text}))


def read_state(path: Path | str) -> tuple[Tensors, Facts]:
    """The tensors and facts that `write_state` wrote; ModelError where the file is something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state(f"{folder}/state.safetensors", tensors={"w": torch.ones(1)}, facts={"step": 7})
    ...     read_state(f"{folder}/state.safetensors")[1]["step"]
    7
    """
    path = Path(path)
    data = path.read_bytes()
    tensors = parse_tensors(data, path)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    facts = json.loads(header.get("__metadata__", {}).get("primatrix", "{}"))
    if facts.get("format_version") != FORMAT_VERSION:
        got = facts.get("format_version")
        raise ModelError(f"{path}: got state format {got}, wanted {FORMAT_VERSION}; train into a new folder")
    return tensors, facts


def detached(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Plain contiguous copies on the CPU, each with memory of its own, as safetensors wants them."""
    return {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}


def replace_file(path: Path, *, data: bytes) -> None:
    """Write to a temporary name beside `path`, fsync, replace: readers see the old bytes or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
