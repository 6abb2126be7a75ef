"""Vision models of Hugging Face transformers: found on disk, read without running code, fetched only when asked.

A name is a folder, or a model on the hub as `owner/name`, or `owner/name@revision`.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from primatrix.errors import ModelError

__all__ = ["MEAN", "SPREAD", "HubModel", "fetch_model", "make_body", "read_model", "see"]

# Means and spreads of ImageNet's pictures, pixels 0-1, which most published weights were trained with.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WANTED_FILES = ["*.json", "*.safetensors", "README.md"]
LICENCE = re.compile(r"^license:\s*(\S+)\s*$", re.MULTILINE)  # in the card's header
# Fields of some configs that name a repository, or ask for weights from one.
FETCHING = {
    "_name_or_path", "auto_map", "backbone", "backbone_kwargs", "quantization_config", "use_pretrained_backbone",
    "use_timm_backbone",
}  # fmt: skip
Config = dict[str, Any]  # Any: JSON values of several types
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class HubModel:
    """A vision model as it was read: its network, and how pictures (pixels 0-1) are prepared for it.

    `side_px` 0: any size. `digest` is the SHA-256 of its weights and of its config.
    """

    body: nn.Module
    config: Config
    side_px: int
    mean: Triple
    spread: Triple
    licence: str
    digest: str
    megabytes: float


def read_model(name: str) -> HubModel:
    """The model in a folder, or on the hub where it was fetched before; nothing is asked for over the network.

    Raises ModelError without the extra `pretrained`, where it is not there or has no weights as safetensors.
    """
    library = import_transformers()
    folder = find_folder(name)
    try:
        with quiet(library):
            found = library.AutoConfig.from_pretrained(folder, trust_remote_code=False)
            known = make_config(json.loads(found.to_json_string(use_diff=False)), library)
            body = library.AutoModel.from_pretrained(
                folder, config=known, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{name}: cannot be read as a model with safetensors weights ({reason}); wanted a folder, or a name on the "
            "Hugging Face hub"
        ) from None
    config = json.loads(body.config.to_json_string(use_diff=False))
    facts = read_preprocessing(folder, library)
    side = config.get("image_size") or 0
    files = sorted(folder.glob("*.safetensors"))
    return HubModel(
        body, config, side if isinstance(side, int) else side[0],
        to_triple(facts.get("image_mean", MEAN)), to_triple(facts.get("image_std", SPREAD)),
        read_licence(folder / "README.md"), digest_files([folder / "config.json", *files]),
        round(sum(file.stat().st_size for file in files) / 1e6, 1),
    )  # fmt: skip


def find_folder(name: str) -> Path:
    """The folder a model lies in: the one named, or that of the hub's own cache."""
    if Path(name).is_dir():
        return Path(name)
    try:
        return snapshot(name, fetch=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{name}: no such folder, and not fetched from the Hugging Face hub (run primatrix encoders --fetch {name})"
        ) from error


def fetch_model(name: str) -> Path:
    """Bring a model from the hub into its cache; of what is there already nothing is fetched again.

    Raises ModelError where the hub cannot be reached or knows no such model.
    """
    import_transformers()
    try:
        return snapshot(name, fetch=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{name}: cannot be fetched from the Hugging Face hub ({reason})") from None


def snapshot(name: str, *, fetch: bool) -> Path:
    """The hub's own folder of a model; OSError where it is not there."""
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    return Path(
        snapshot_download(
            repository, revision=revision or None, local_files_only=not fetch, allow_patterns=WANTED_FILES
        )
    )


def digest_files(files: list[Path]) -> str:
    """The SHA-256 of files one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def read_licence(card: Path) -> str:
    """What a model's card says, `unknown` where there is none."""
    found = LICENCE.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    return found[1] if found else "unknown"


def to_triple(values: Any) -> Triple:  # Any: a JSON value
    """Three numbers, one per colour; ModelError for anything else."""
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ModelError(f"preprocessor_config.json: got {values!r}, wanted a number per colour") from None
    return red, green, blue


def see(body: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Prepared pictures (N, 3, h, w) -> features (N, D): the mean over what is left of the picture."""
    last: torch.Tensor = body(pixel_values=pictures).last_hidden_state
    return last.mean(1) if last.ndim == 3 else last.mean((2, 3))  # tokens (N, L, D) or a map (N, D, h, w)


def import_transformers() -> Any:  # Any: an optional library, not typed here
    """The library; ModelError naming the extra where it is not installed."""
    try:
        import transformers
    except ImportError:
        raise ModelError(
            "backbone: got no transformers library, wanted it to be installed; run pip install 'primatrix[pretrained]'"
        ) from None
    return transformers


@contextmanager
def quiet(library: Any) -> Iterator[None]:  # Any: an optional library, not typed here
    """A scope in which the library shows no progress bars of its own."""
    shown = library.utils.logging.is_progress_bar_enabled()
    library.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library.utils.logging.enable_progress_bar()


def read_preprocessing(folder: Path, library: Any) -> Config:  # Any: an optional library, not typed here
    """What preprocessor_config.json says, empty where there is none."""
    try:
        facts: Config = library.ImageProcessingMixin.get_image_processor_dict(folder)[0]
    except (OSError, ValueError):
        return {}
    return facts


def make_body(config: Config) -> nn.Module:
    """A body from its config alone, with weights drawn from torch's state; neither hub nor folder is asked."""
    library = import_transformers()
    try:
        kind = make_config(config, library)
        body: nn.Module = library.AutoModel.from_config(kind, trust_remote_code=False)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"backbone: this config cannot be used ({error}); use the transformers it was saved with"
        ) from None
    return body.float()


def make_config(config: Config, library: Any) -> Any:  # Any: an optional library, not typed here
    """The library's own config of these values, with nothing in it that could fetch code or weights."""
    return type(library.AutoConfig.for_model(config["model_type"])).from_dict(keep_known(config, library))


def keep_known(config: Config, library: Any) -> Config:  # Any: an optional library, not typed here
    """Of a config, what describes the network: the fields that its kind has, and so in the configs within it.

    Other names are what the library takes along for its own use, such as `attn_implementation`, which may name a
    repository whose code it would fetch and run.
    """
    kind = type(library.AutoConfig.for_model(config["model_type"]))
    fields = set(inspect.signature(kind.__init__).parameters) | {"model_type"}
    known = {name: value for name, value in config.items() if name in fields - FETCHING}
    return {name: keep_known_within(value, library) for name, value in known.items()}


def keep_known_within(value: Any, library: Any) -> Any:  # Any: a JSON value; an optional library
    """The same of a value in a config: a config itself, other named values, or a plain one."""
    if not isinstance(value, dict):
        return value
    if "model_type" in value:
        return keep_known(value, library)
    plain = {name: inner for name, inner in value.items() if not name.endswith("_implementation")}
    return {name: keep_known_within(inner, library) for name, inner in plain.items() if name not in FETCHING}
