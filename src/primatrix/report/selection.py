"""Which clips a contact sheet shows: per species the surest, the least sure and, with labels, the wrong ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from primatrix.labels import BLANK
from primatrix.results import DEFAULT_THRESHOLD, Results

__all__ = ["Kind", "Strip", "centre_by_frames", "choose_strips", "list_shown_species"]

LEAST_EXPECTED = 0.5  # clips: a species rarer than that, and nowhere above its threshold, has no sheet

Kind = Literal["surest", "least sure", "not labelled so", "missed"]


@dataclass(frozen=True, slots=True)
class Strip:
    """A clip to show for a species, why, and the second to show it at (None: the middle)."""

    filepath: str
    species: str
    kind: Kind
    probability: float
    centre_seconds: float | None = None


def list_shown_species(results: Results, *, labels: pd.DataFrame | None = None) -> list[str]:
    """Species with a contact sheet, the most expected first and `blank` last.

    `labels` (clips, species) of 0/1 with clips of the results as index.
    """
    table = results.probabilities
    shown = []
    for species in results.species:
        threshold = results.threshold_of(species)
        labelled = labels is not None and bool(labels[species].any())
        expected = float(table[species].sum())
        if labelled or expected >= LEAST_EXPECTED or (table[species] >= threshold).any():
            shown.append((species == BLANK, -expected, species))
    return [species for _, _, species in sorted(shown)]


def choose_strips(results: Results, *, labels: pd.DataFrame | None = None, count: int = 4) -> list[Strip]:
    """The strips of all contact sheets, `count` of a kind, first what every sheet should have first.

    Each has the second its species is seen best, by its sightings, else by the results' frames where they are there.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> [(strip.filepath, strip.kind, strip.centre_seconds) for strip in choose_strips(example)]
    [('a/IMG_1.MP4', 'surest', 4.0)]
    """
    table = results.probabilities.dropna()
    chosen: list[tuple[int, Strip]] = []
    for species in list_shown_species(results, labels=labels):
        threshold = results.threshold_of(species)
        values = table[species].to_numpy(np.float64)
        truth = None if labels is None else labels[species].reindex(table.index).to_numpy(np.float64)
        for kind, rows in _choose_rows(values, threshold=threshold, truth=truth, count=count):
            for rank, row in enumerate(rows):
                strip = Strip(str(table.index[row]), species, kind, float(values[row]))
                chosen.append((rank, strip))
    chosen.sort(key=lambda item: item[0])  # stable: by rank, then species and kind in order
    strips = _centre_by_sightings([strip for _, strip in chosen], results.sightings)
    return centre_by_frames(strips, results.frames)


def _choose_rows(
    values: NDArray[np.float64], *, threshold: float, truth: NDArray[np.float64] | None, count: int
) -> Iterator[tuple[Kind, Sequence[int]]]:
    """Rows of each kind; values (N,), truth (N,) with NaN where nobody has labelled the clip."""
    kinds = dict(zip(("surest", "least sure", "not labelled so", "missed"), get_args(Kind), strict=True))
    order = np.argsort(-values, kind="stable")
    surest = [int(row) for row in order[:count] if values[row] >= min(threshold, DEFAULT_THRESHOLD)]
    yield kinds["surest"], surest
    logits = logit(np.clip(np.append(values, threshold), 1e-9, 1 - 1e-9))
    doubt = np.argsort(np.abs(logits[:-1] - logits[-1]), kind="stable")
    yield kinds["least sure"], [int(row) for row in doubt[: count + len(surest)] if row not in surest][:count]
    if truth is not None:
        yield (
            kinds["not labelled so"],
            [int(r) for r in order if values[r] >= threshold and truth[r] == 0][:count],
        )
        yield (
            kinds["missed"],
            [int(r) for r in order[::-1] if values[r] < threshold and truth[r] == 1][:count],
        )


def _centre_by_sightings(strips: Sequence[Strip], sightings: pd.DataFrame) -> list[Strip]:
    """Each strip with the best second of its species' surest sighting, where it has one."""
    surest = sightings.sort_values("probability", ascending=False).drop_duplicates(["filepath", "species"])
    pairs = zip(surest["filepath"], surest["species"], strict=True)
    known: dict[tuple[str, str], float] = dict(zip(pairs, surest["best_seconds"].tolist(), strict=True))
    return [replace(strip, centre_seconds=known.get((strip.filepath, strip.species))) for strip in strips]


def centre_by_frames(strips: Sequence[Strip], frames: pd.DataFrame | None) -> list[Strip]:
    """Each strip that has no second yet with the one whose frame has most of its species, where frames tell.

    >>> looks = pd.DataFrame({"filepath": "a.mp4", "pts_seconds": [0.5, 1.5], "hog": [0.1, 0.3]})
    >>> [strip.centre_seconds for strip in centre_by_frames([Strip("a.mp4", "hog", "missed", 0.3)], looks)]
    [1.5]
    """
    if frames is None:
        return list(strips)
    wanted = frames[frames["filepath"].isin({strip.filepath for strip in strips})]
    looks = {str(name): rows for name, rows in wanted.groupby("filepath", sort=False)}
    centred = []
    for strip in strips:
        if strip.centre_seconds is None and strip.filepath in looks:
            of_clip = looks[strip.filepath]
            best = int(of_clip[strip.species].to_numpy().argmax())
            strip = replace(strip, centre_seconds=float(of_clip["pts_seconds"].iloc[best]))
        centred.append(strip)
    return centred
