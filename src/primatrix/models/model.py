"""A model with all that is needed to use it: its network, species, clip size, scores and calibration."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import primatrix
from primatrix.errors import ModelError
from primatrix.memory import keep_freed_memory
from primatrix.models.checkpoint import digest_tensors, write_model_folder
from primatrix.models.devices import Processor
from primatrix.models.features import Features
from primatrix.models.network import Network
from primatrix.records import ClipSpec
from primatrix.trust import Calibration, TrainingClips

__all__ = ["Model", "load_weights"]


class Model:
    """A network and what it was made for: `name`, `species`, `spec`, `options`, `scores`, `calibration`.

    `clip_seconds` is how long the clips were that it was trained on, where that is known.
    Clips go in as the dataset gives them: uint8 or float (B, T, H, W, C), pixels 0-255; where `make_features` gives
    something, what that makes of clips.
    """

    def __init__(self, name: str, *, species: Sequence[str], spec: ClipSpec, network: Network) -> None:
        self.name = name
        self.species = tuple(species)
        self.spec = spec
        self.network = network
        self.scores: dict[str, float] = {}
        self.recipe: dict[str, Any] = {}  # Any: the settings it was trained with are of several plain types
        self.calibration: Calibration | None = None
        self.clip_seconds: float | None = None
        self.trained_on: TrainingClips | None = None  # where training knew what its clips are

    @property
    def options(self) -> dict[str, Any]:  # Any: options are of several plain types
        """The architecture's own settings, as plain values."""
        return dataclasses.asdict(self.network.options)

    def __repr__(self) -> str:
        """What it is, in one line.

        >>> from primatrix import build_model
        >>> build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
        <Model lrcn: 2 species, 15 grey frames of 16x16 (uniform), 1,182,210 parameters, not trained>
        """
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.scores.items()) or "not trained"
        numbers = sum(p.numel() for p in self.network.parameters())
        return (f"<{self.title}: {len(self.species)} species, {self.spec.describe()}, {numbers:,} parameters, "
                f"{scores}>")  # fmt: skip

    @property
    def title(self) -> str:
        """What it is, in two or three words."""
        return f"Model {self.name}"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The same as `forward`."""
        return self.forward(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Clips (B, T, H, W, C), pixels 0-255 -> logits (B, S). ModelError for clips of another size."""
        self.check_clips(x.shape)
        logits: torch.Tensor = self.network(x)
        return logits

    def make_features(self, processor: Processor | None = None) -> Features | None:
        """What turns clips into what the model takes, on a processor; None where it takes their pixels."""
        return self.network.make_features(processor)

    @property
    def gives_frames(self) -> bool:
        """Whether it also answers for each frame: `forward_frames`."""
        return self.network.gives_frames

    def forward_frames(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Clips (B, T, H, W, C), pixels 0-255 -> clip logits (B, S), frame logits (B, T, S).

        The clip logits are those of `forward`. ModelError where the model does not give frames.
        """
        self.check_clips(x.shape)
        return self.network.forward_frames(x)

    def probabilities(self, x: NDArray[Any]) -> NDArray[np.float32]:  # Any: pixels of any dtype
        """Clips (B, T, H, W, C), pixels 0-255 -> one probability per clip and species, float32 (B, S).

        In full precision where the network lies, calibrated where the model is; `predict_batches` is the fast way
        for many clips.

        >>> from primatrix import build_model
        >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
        >>> model.probabilities(np.zeros((3, 15, 16, 16, 1), np.uint8)).shape
        (3, 2)
        """
        device = next(self.network.parameters()).device
        with self.running_on(device, training=False), torch.inference_mode():
            logits = self.forward(torch.from_numpy(np.ascontiguousarray(x)).to(device))
            own: NDArray[np.float32] = logits.float().sigmoid().cpu().numpy()
        return self.calibration.apply(own) if self.calibration else own

    def check_clips(self, shape: Sequence[int]) -> None:
        """ModelError unless `shape` is (B, T, H, W, C) as the model's ClipSpec says, or that of its features."""
        wanted = self.network.input_shape
        if tuple(shape[1:]) != wanted:
            got, want = "x".join(map(str, shape)), "x".join(map(str, wanted))
            raise ModelError(
                f"{self.name}: got clips {got}, wanted (any number)x{want}; load clips with its spec and, where it "
                "looks through an encoder, keeping=model.make_features()"
            )

    @contextmanager
    def running_on(self, place: torch.device, *, training: bool) -> Iterator[None]:
        """A scope in which the network lies on `place` in training or eval mode; put back after."""
        home, was_training = next(self.network.parameters()).device, self.network.training
        if place.type == "cpu":
            keep_freed_memory()
        self.network.to(place).train(training)
        try:
            yield
        finally:
            self.network.to(home).train(was_training)

    @property
    def digest(self) -> str:
        """Which weights it has, in hexadecimal digits: the same after saving and loading, whatever its calibration."""
        return digest_tensors(self.network.state_dict())

    def save(self, folder: Path | str) -> None:
        """Write `model.safetensors` and `model.json` into a folder; read back by `load_model`."""
        write_model_folder(folder, weights=self.network.state_dict(), facts=self.describe())

    def describe(self) -> dict[str, Any]:  # Any: JSON values of several types
        """All that is needed to use it besides its weights, as plain values."""
        return {
            "architecture": self.name,
            "options": self.options,
            "species": list(self.species),
            "spec": self.spec.to_dict(),
            "scores": self.scores,
            "recipe": self.recipe,
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "clip_seconds": self.clip_seconds,
            "trained_on": self.trained_on.to_dict() if self.trained_on else None,
            "primatrix_version": primatrix.__version__,
        }

    def summary(self) -> str:
        """What the model is for, its scores and its layers, in lines to print."""
        frames, height_px, width_px, channels = self.spec.shape
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.scores.items()) or "not trained"
        return "\n".join([
            f"{self.name} for {len(self.species)} species: {', '.join(self.species)}",
            f"clips: {frames} frames of {height_px}x{width_px} pixels (height x width), {channels} channels",
            f"scores: {scores}",
            self.layer_table(),
        ])  # fmt: skip

    def layer_table(self) -> str:
        """The layers, their output shapes and parameters, printed as the benchmark prints them."""
        rows = self.network.layer_rows()
        width = max(66, 34 + max(len(str((None, *shape))) for _, shape, _ in rows) + 12)
        line = f"{'Layer (type)':<32} {'Output shape':<24} {'Param #':>{width - 58}}"
        lines = [line, "=" * width]
        for name, shape, count in rows:
            lines.append(f"{name:<32} {(None, *shape)!s:<24} {count:>{width - 58},}")
        total = sum(count for _, _, count in rows)
        return "\n".join([*lines, "=" * width, f"Total params: {total:,}"])


def load_weights(model: Model, *, weights: dict[str, torch.Tensor], source: str) -> None:
    """Copy tensors into the network; ModelError naming the first missing, unknown or of another shape."""
    wanted = model.network.state_dict()
    for name in sorted(set(wanted) | set(weights)):
        got = tuple(weights[name].shape) if name in weights else None
        want = tuple(wanted[name].shape) if name in wanted else None
        if got != want:
            raise ModelError(
                f"{source}: weight {name}: got {got}, wanted {want}; this is not a whole {model.name}"
            )
    model.network.load_state_dict(weights)
