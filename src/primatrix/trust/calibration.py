"""A model's calibration: what turns its scores into probabilities to trust, and where to put the cut.

The nouns only; `fitting` makes them from predictions a model gave for clips it was not trained on.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from primatrix.errors import InputError
from primatrix.results import Task, drop_clips, say_share

__all__ = [
    "LOGIT_LIMIT",
    "Calibration",
    "FittedOn",
    "OperatingPoint",
    "Share",
    "bend",
    "logit_features",
    "sample_names",
]


LOGIT_LIMIT = 16.0  # 1.1e-7: a float32 sigmoid tells nothing apart beyond
KNEE = 0.1  # slope beyond floor and ceiling: 0.1 keeps the order of clips and costs at most -ln(0.9) = 0.105
NAMES_KEPT = 256

Share = tuple[
    float, float | None, float | None
]  # with the ends of its interval, None where sites are too few


@dataclass(frozen=True, slots=True)
class FittedOn:
    """What a calibration was fitted on: `source` says how its predictions were made, `positives` count clips.

    `sample` holds short digests of up to 256 clips' names, so that scoring on the same clips is noticed, and `files` of
    what their files are, where that is known of all; `answers` is a digest of the file of predictions, so that it is
    known again.
    """

    source: str
    clips: int
    sites: int
    positives: dict[str, int]
    sample: tuple[str, ...] = ()
    answers: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with the promise it was chosen for, and what it did on the calibration clips.

    `score` names what is compared with the threshold: a species, or "1 - max animal". `task` "skip" drops clips
    whose score is above the threshold, "find" drops those below it. At most `max_loss` of the clips that must be
    kept are dropped, with this `confidence` (None: in the mean over calibration sets), over one `unit`: "clips"
    or "sites". `threshold` is None where too few clips were there to promise anything: then nothing is dropped.
    `saved` is the share of blank clips that is skipped, `footage` that of all clips, each with the ends of its 95 %
    interval; `recall` is by species.
    """

    name: str
    task: Task
    score: str
    threshold: float | None
    max_loss: float
    confidence: float | None
    unit: str
    clips: int
    units: int
    lost: int
    saved: Share | None = None
    footage: Share | None = None
    recall: dict[str, float | None] = field(default_factory=dict)

    def summary(self) -> str:
        """What it promises, in one line."""
        if self.threshold is None:
            return (
                f"{self.name}: {self.clips} clips of {self.units} {self.unit} are too few to promise anything"
            )
        sure = "in the mean" if self.confidence is None else f"with {say_share(self.confidence)} confidence"
        what = "skip above" if self.task == "skip" else "show from"
        lost = say_share(self.max_loss)
        return f"{self.name}: {what} {self.score} {self.threshold:.4g}; loses at most {lost} {sure}"

    def drops(self, scores: NDArray[Any]) -> NDArray[np.bool_]:  # Any: float32 or float64
        """Which clips with these scores (N,) are dropped."""
        return drop_clips(scores, task=self.task, threshold=self.threshold)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per species: a map of the model's probability, its floor and ceiling, and a threshold for a yes.

    logit(q) = a ln p - b ln(1 - p) + c with `weights` (a, b, c): beta calibration (Kull, Silva Filho and Flach,
    AISTATS 2017); a = b is Platt's scaling of the logit. Both keep the order of clips.
    """

    species: tuple[str, ...]
    weights: tuple[tuple[float, float, float], ...]
    floors: tuple[float, ...]
    ceilings: tuple[float, ...]
    thresholds: dict[str, float]
    fitted_on: FittedOn
    operating_points: dict[str, OperatingPoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = (self.weights, self.floors, self.ceilings, self.thresholds)
        if any(len(part) != len(self.species) for part in parts):
            raise InputError(f"calibration: got {[len(part) for part in parts]} entries, wanted "
                             f"{len(self.species)} each, one per species; calibrate again")  # fmt: skip

    def apply(self, probabilities: NDArray[Any]) -> NDArray[Any]:  # Any: float32 or float64, kept
        """Calibrated probabilities (N, S), or (..., S), of the model's own; NaN stays NaN.

        >>> fitted_on = FittedOn("validation", clips=2, sites=0, positives={"hog": 1})
        >>> half = Calibration(("hog",), ((1.0, 1.0, -np.log(3)),), (0.01,), (0.9,), {"hog": 0.5}, fitted_on)
        >>> half.apply(np.array([[0.5], [0.75], [0.0]])).round(4).tolist()
        [[0.25], [0.5], [0.009]]
        """
        if probabilities.ndim < 2 or probabilities.shape[-1] != len(self.species):
            raise InputError(f"calibration: got probabilities of shape {probabilities.shape}, wanted (clips, "
                             f"{len(self.species)}); calibrate the model on these species")  # fmt: skip
        features = logit_features(probabilities.astype(np.float64))  # (..., S, 3)
        logits = np.einsum("...sd,sd->...s", features, np.asarray(self.weights))
        mapped = bend(expit(logits), floors=np.asarray(self.floors), ceilings=np.asarray(self.ceilings))
        return mapped.astype(probabilities.dtype)

    def can_give(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:  # Any: float32 or float64
        """Which of these probabilities (N, S) lie where `apply` puts them, rounding aside; NaN does.

        >>> fitted_on = FittedOn("validation", clips=2, sites=0, positives={"hog": 1})
        >>> half = Calibration(("hog",), ((1.0, 1.0, -np.log(3)),), (0.01,), (0.9,), {"hog": 0.5}, fitted_on)
        >>> half.can_give(np.array([[0.008], [0.009], [0.95]])).ravel().tolist()
        [False, True, False]
        """
        floors, ceilings = np.asarray(self.floors), np.asarray(self.ceilings)
        low, high = (1 - KNEE) * floors, ceilings + KNEE * (1 - ceilings)
        inside = (probabilities >= 0.999 * low) & (probabilities <= 1.001 * high)
        return np.asarray(inside | np.isnan(probabilities))

    def check_unseen(self, names: Iterable[str], *, files: Mapping[str, str] | None = None) -> None:
        """InputError where these clips were among those it was fitted on: no test of it would be fair.

        Clips are known by their file where `files` (name -> digest) has it and the calibration knows files, else by
        name: cards repeat names.
        """
        known = files if files and self.fitted_on.files else {}
        by_name = {digest(name) for name in names if not known.get(name)}
        by_file = {digest(known[name]) for name in names if known.get(name)}
        seen = len(set(self.fitted_on.sample) & by_name) / max(1, len(self.fitted_on.sample))
        same = len(set(self.fitted_on.files) & by_file) / max(1, len(self.fitted_on.files))
        if seen or same:
            raise InputError(
                f"calibration: about {max(seen, same):.0%} of the {self.fitted_on.clips} clips it was fitted on are "
                f"among those to be scored, by their {'files' if same else 'names'}; wanted clips it has not seen: "
                "score others, or calibrate on others"
            )

    def summary(self) -> str:
        """What it was fitted on, in one line."""
        on, sites = self.fitted_on, f" of {self.fitted_on.sites} sites" if self.fitted_on.sites else ""
        return f"fitted on {on.source} predictions for {on.clips} clips{sites}"

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":  # Any: JSON values of several types
        """The calibration that `to_dict` wrote, JSON in between or not; InputError where it is none."""
        try:
            points = {name: read_point(point) for name, point in values["operating_points"].items()}
            fitted_on = values["fitted_on"]
            return cls(
                species=tuple(values["species"]),
                weights=tuple((float(a), float(b), float(c)) for a, b, c in values["weights"]),
                floors=tuple(values["floors"]),
                ceilings=tuple(values["ceilings"]),
                thresholds=dict(values["thresholds"]),
                fitted_on=FittedOn(
                    **{**fitted_on, **{k: tuple(fitted_on.get(k, ())) for k in ("sample", "files")}}
                ),
                operating_points=points,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"calibration: got values that are none ({error}); calibrate again") from None


def read_point(values: Mapping[str, Any]) -> OperatingPoint:  # Any: JSON values of several types
    """The point of plain values; JSON has lists where tuples were."""
    shares = {k: tuple(values[k]) if values[k] is not None else None for k in ("saved", "footage")}
    return OperatingPoint(**{**values, **shares})


def logit_features(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln p, -ln(1 - p) and 1 in a last axis; p is held within the logits that float32 can tell apart."""
    p = np.clip(probabilities, expit(-LOGIT_LIMIT), expit(LOGIT_LIMIT))
    return np.stack([np.log(p), -np.log1p(-p), np.ones_like(p)], axis=-1)


def bend(
    probabilities: NDArray[np.float64], *, floors: NDArray[np.float64], ceilings: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities (..., S) held near [floor, ceiling]: beyond them they go on at a tenth of the slope.

    A hard clip would make all clips beyond it equal, and no threshold could tell them apart any more.
    """
    low = floors + KNEE * (probabilities - floors)
    high = ceilings + KNEE * (probabilities - ceilings)
    bent: NDArray[np.float64] = np.where(
        probabilities < floors, low, np.where(probabilities > ceilings, high, probabilities)
    )
    return bent


def sample_names(names: Iterable[str]) -> tuple[str, ...]:
    """Digests of up to 256 clips' names, always the same ones of a set: the smallest.

    >>> sample_names(["a.mp4", "b.mp4"]) == sample_names(["b.mp4", "a.mp4"])
    True
    """
    return tuple(sorted(digest(name) for name in names)[:NAMES_KEPT])


def digest(name: str) -> str:
    """16 hexadecimal digits of a clip's name."""
    return hashlib.blake2b(str(name).encode(), digest_size=8).hexdigest()
