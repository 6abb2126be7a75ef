"""All that decides an answer besides the clip, as a digest."""

import hashlib
import json

import torch

import primatrix
from primatrix.data import FORMAT_VERSION
from primatrix.models import Features, Model, Processor
from primatrix.tagging.looks import find_thresholds, find_window_seconds
from primatrix.video import DEFAULT_WINDOW_SECONDS

__all__ = ["fingerprint_features", "fingerprint_model", "fingerprint_walk"]


def fingerprint_model(model: Model, processor: Processor) -> str:
    """A digest of all that decides an answer besides the clip: weights, calibration, spec, processor, versions."""
    facts = [
        model.name, model.options, model.species, model.spec.to_dict(), str(processor),
        model.calibration and model.calibration.to_dict(), primatrix.__version__, torch.__version__, FORMAT_VERSION,
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint_walk(model: Model, processor: Processor) -> str:
    """The same where footage is walked: windows and thresholds decide there, too."""
    made_by = [fingerprint_model(model, processor), find_window_seconds(model), find_thresholds(model)]
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()


def fingerprint_features(features: Features, processor: Processor) -> str:
    """The same where no model is asked: the encoder decides, and how clips are cut."""
    facts = [
        "watch", features.key, features.facts.digest, str(processor), DEFAULT_WINDOW_SECONDS, primatrix.__version__,
        torch.__version__, FORMAT_VERSION,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
