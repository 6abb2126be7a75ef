"""Models by name: built anew, or loaded from their folder."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from primatrix.disk import Facts
from primatrix.errors import InputError, ModelError
from primatrix.models.backbone import Backbone
from primatrix.models.checkpoint import Tensors, read_model_folder
from primatrix.models.conv3d import Conv3d
from primatrix.models.devices import seeded
from primatrix.models.ensemble import STATISTICS, Ensemble
from primatrix.models.linear_probe import LinearProbe
from primatrix.models.lrcn import Lrcn
from primatrix.models.model import Model, load_weights
from primatrix.models.motion import Motion
from primatrix.models.network import Network
from primatrix.records import ClipSpec
from primatrix.settings import check_types
from primatrix.trust import Calibration, TrainingClips

__all__ = ["build_model", "list_models", "load_model"]

ARCHITECTURES: dict[str, type[Network]] = {
    "backbone": Backbone,
    "conv3d": Conv3d,
    "linear_probe": LinearProbe,
    "lrcn": Lrcn,
    "motion": Motion,
}


def list_models() -> list[str]:
    """The names `build_model` knows.

    >>> list_models()
    ['backbone', 'conv3d', 'linear_probe', 'lrcn', 'motion']
    """
    return sorted(ARCHITECTURES)


def build_model(
    name: str,
    *,
    species: Sequence[str],
    spec: ClipSpec,
    seed: int = 0,
    **options: Any,  # Any: each architecture checks its own options
) -> Model:
    """A new model with weights drawn from `seed`.

    Raises ModelError for an unknown name, option or kind of value, no or repeated species, or clips it cannot take.

    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16), input_scale=0.5)
    >>> model.name, model.species, model.options["input_scale"]
    ('lrcn', ('blank', 'duiker'), 0.5)
    """
    if name not in ARCHITECTURES:
        raise ModelError(f"architecture: got {name!r}, wanted one of {', '.join(list_models())}")
    if isinstance(species, str) or len(species) < 1 or len(set(species)) < len(species):
        raise ModelError(f"species: got {species!r}, wanted a list of one or more names, none twice")
    chosen = make_options(name, options)
    with seeded(seed):
        network = ARCHITECTURES[name](spec, species_count=len(species), options=chosen)
    return Model(name, species=species, spec=spec, network=network.eval())


def make_options(name: str, options: dict[str, Any]) -> Any:  # Any: a dataclass of each architecture's own
    """The architecture's options; ModelError for an unknown name and for a value of another kind."""
    kind = ARCHITECTURES[name].options_type
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ModelError(f"{name}: got option {', '.join(unknown)}, wanted one of {', '.join(known)}")
    try:
        chosen = kind(**options)
        check_types(chosen)
    except InputError as error:
        raise ModelError(f"{name}: {error}") from None
    except TypeError as error:  # a word where numbers are compared
        raise ModelError(
            f"{name}: got {options}, wanted numbers where the options are numbers ({error})"
        ) from None
    return chosen


def load_model(folder: Path | str) -> Model:
    """The model that `Model.save` wrote, on the CPU. Runs no code from the folder.

    Raises ModelError where the folder holds no whole model of this format, or weights that do not fit it.

    >>> import tempfile
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     load_model(folder).species
    ('blank', 'duiker')
    """
    weights, facts = read_model_folder(folder)
    is_ensemble = facts.get("architecture") == "ensemble"
    model = (load_ensemble if is_ensemble else rebuild_model)(Path(folder), weights=weights, facts=facts)
    try:
        model.scores = dict(facts["scores"])
        model.recipe = dict(facts.get("recipe", {}))
        model.clip_seconds = facts.get("clip_seconds", model.clip_seconds)  # not in models of before
        trained_on = facts.get("trained_on")  # nor this
        model.trained_on = TrainingClips.from_dict(trained_on) if trained_on else None
        calibration = facts.get("calibration")  # none in models saved before there was one
        model.calibration = Calibration.from_dict(calibration) if calibration else None
        if model.calibration and model.calibration.species != model.species:
            raise ModelError("its calibration is for other species")
    except (KeyError, TypeError, ValueError, InputError, ModelError) as error:
        raise refuse_facts(folder, error) from None
    return model


def rebuild_model(folder: Path, *, weights: Tensors, facts: Facts) -> Model:
    """The single model that the facts describe, with these weights."""
    try:
        spec = ClipSpec.from_dict(facts["spec"])
        model = build_model(facts["architecture"], species=facts["species"], spec=spec, **facts["options"])
    except (KeyError, TypeError, ValueError, InputError, ModelError) as error:
        raise refuse_facts(folder, error) from None
    load_weights(model, weights=weights, source=str(folder))
    return model


def load_ensemble(folder: Path, *, weights: Tensors, facts: Facts) -> Ensemble:
    """The ensemble of models that lie in `folder` under the names in the facts; ModelError where one does not."""
    listed, stack = facts.get("members"), weights.get("stack")
    families = (
        [family if isinstance(family, list) else [] for family in listed] if isinstance(listed, list) else []
    )
    for name in (name for family in families for name in family):
        if not isinstance(name, str) or is_outside(name):
            raise ModelError(f"{folder}/model.json: got member {name!r}, wanted a folder below this one")
    ensemble = Ensemble([[load_model(folder / name) for name in family] for family in families], stack=stack)
    wanted = (len(ensemble.species), len(STATISTICS) + 3)
    if stack is not None and tuple(stack.shape) != wanted:
        got = tuple(stack.shape)
        raise ModelError(f"{folder}: got stacking weights {got}, wanted {wanted}; save it again")
    return ensemble


def is_outside(name: str) -> bool:
    """Whether a member's name leads anywhere but below its ensemble's folder.

    >>> is_outside("family0/member1"), is_outside("../other"), is_outside("")
    (False, True, True)
    """
    path = PureWindowsPath(name)  # which knows both slashes and drives, on every system
    return not path.parts or ".." in path.parts or bool(path.anchor)


def refuse_facts(folder: Path | str, error: Exception) -> ModelError:
    """The error for a model.json that does not say what it should."""
    return ModelError(f"{folder}/model.json: does not describe a model ({error}); save it again")
