"""Tensors and facts on disk as safetensors and JSON: whole or not there, and never pickle."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load, save

from primatrix.disk import (
    FACTS,
    FORMAT_VERSION,
    Facts,
    read_facts,
    read_state_facts,
    write_facts,
    write_whole,
)
from primatrix.errors import ModelError

__all__ = [
    "Tensors",
    "digest_tensors",
    "read_model_folder",
    "read_state",
    "write_model_folder",
    "write_state",
]

WEIGHTS = "model.safetensors"
NEXT_WEIGHTS = "model.safetensors.next"  # written, but not yet under their own name

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
    write_whole(folder / NEXT_WEIGHTS, lambda file: file.write_bytes(data))
    write_facts(folder, {**facts, "weights_sha256": hashlib.sha256(data).hexdigest()})
    (folder / NEXT_WEIGHTS).replace(folder / WEIGHTS)


def digest_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """The digest by which `model.json` names weights, in hexadecimal digits.

    >>> digest_tensors({"w": torch.ones(2)}) == digest_tensors({"w": torch.zeros(2)})
    False
    """
    return hashlib.sha256(save(detached(tensors))).hexdigest()


def read_model_folder(folder: Path | str) -> tuple[Tensors, Facts]:
    """The weights and facts that `write_model_folder` wrote.

    Raises ModelError where the folder is missing, holds no model, is of another format or is damaged.
    """
    folder, facts = Path(folder), read_facts(folder)
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


def parse_tensors(data: bytes, path: Path) -> Tensors:
    """Tensors by name from the bytes of a safetensors file."""
    try:
        return load(data)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path}: not readable as safetensors ({error}); copy or save it again") from None


def write_state(path: Path | str, *, tensors: Mapping[str, torch.Tensor], facts: Facts) -> None:
    """Write tensors and facts as ONE file, replaced in one step: a kill leaves the old state or the new."""
    text = json.dumps({"format_version": FORMAT_VERSION, **facts})
    data = save(detached(tensors), metadata={"primatrix": text})
    write_whole(path, lambda file: file.write_bytes(data))


def read_state(path: Path | str) -> tuple[Tensors, Facts]:
    """The tensors and facts that `write_state` wrote; ModelError where the file is something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state(f"{folder}/state.safetensors", tensors={"w": torch.ones(1)}, facts={"step": 7})
    ...     read_state(f"{folder}/state.safetensors")[1]["step"]
    7
    """
    path = Path(path)
    tensors, facts = parse_tensors(path.read_bytes(), path), read_state_facts(path)
    if facts.get("format_version") != FORMAT_VERSION:
        got = facts.get("format_version")
        raise ModelError(f"{path}: got state format {got}, wanted {FORMAT_VERSION}; train into a new folder")
    return tensors, facts


def detached(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Plain contiguous copies on the CPU, each with memory of its own, as safetensors wants them."""
    return {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}
