"""Clips that look alike: groups of what moves in them, for people to label.

Ward's hierarchical clustering of what an encoder makes of close-ups. No group is called a species: a group is a place
to look first, and a species may stand in several.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

__all__ = ["Groups", "cluster", "group_clips"]

MOST_CLUSTERED = 5000  # clips; of more a sample is, since memory grows with their square: 400 MB
MOST_GROUPS = 40  # what a person looks through in an hour
ALIKE = 0.5  # features of length 1 that are nearer are not parted: of real clips nearly all such pairs show one species

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
ReadFeatures = Callable[[], Iterable[tuple[int, NDArray[np.float32]]]]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """For clips by their `rows` (N,) in a table: the `number` of each one's group, 1 the largest, and how far the clip
    is from the group's middle, `distance`."""

    rows: Whole
    number: Whole
    distance: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.number.max(initial=0))

    def list_members(self, number: int) -> list[int]:
        """The rows of a group, that nearest to its middle first.

        >>> Groups(np.array([4, 7, 9]), np.array([1, 2, 1]), np.array([0.5, 0.0, 0.25])).list_members(1)
        [9, 4]
        """
        own = np.flatnonzero(self.number == number)
        return [int(row) for row in self.rows[own[np.argsort(self.distance[own], kind="stable")]]]


def group_clips(read: ReadFeatures, *, seed: int = 0) -> Groups:
    """Group clips; `read` gives their rows with their features (D,), in any order, and is called three times.

    Up to 5,000 clips are clustered; of more a sample is, and the others join the group whose middle is nearest.

    >>> features = {0: np.float32([1, 0]), 1: np.float32([0, 2]), 2: np.float32([3, 0.1])}
    >>> group_clips(features.items).number.tolist()
    [1, 2, 1]
    """
    wanted = np.array(sorted(row for row, _ in read()), np.int64)
    if not len(wanted):
        return Groups(wanted, wanted, np.zeros(0))
    sample = wanted
    if len(wanted) > MOST_CLUSTERED:
        sample = np.sort(np.random.default_rng(seed).choice(wanted, MOST_CLUSTERED, replace=False))
    chosen = {int(row): place for place, row in enumerate(sample)}
    parts = {chosen[row]: _normalise(features) for row, features in read() if row in chosen}
    clustered = np.stack([parts[place] for place in range(len(sample))])  # (S, D)
    number = cluster(clustered)
    middles = np.stack([clustered[number == i].mean(0) for i in range(number.max() + 1)])  # (K, D)
    return _assign(wanted, read, middles, dict(zip(sample.tolist(), number.tolist(), strict=True)))


def cluster(features: Floats) -> Whole:
    """The group (N,), from 0, of each of these features (N, D) of length 1.

    There are as many groups as clips in one, the square root of N, but 40 at most, so that a look at a few of each is
    a look at all. Fewer are made where otherwise clips that look the same would be parted.
    """
    if len(features) == 1:
        return np.zeros(1, np.int64)
    distances = np.sqrt(np.maximum(2 - 2 * (features @ features.T), 0), dtype=np.float64)
    np.fill_diagonal(distances, 0)
    tree = hierarchy.linkage(squareform(distances, checks=False), "ward")
    count = min(max(round(math.sqrt(len(features))), 2), MOST_GROUPS)
    too_high = float(tree[1 - count, 2])  # the merge that would leave one group fewer than `count`
    number = hierarchy.fcluster(tree, max(np.nextafter(too_high, 0), ALIKE), "distance")
    return np.asarray(number, np.int64) - 1


def _assign(wanted: Whole, read: ReadFeatures, middles: Floats, known: dict[int, int]) -> Groups:
    """Every clip to the group that clustering put it in, or the nearest."""
    place_of = {int(row): place for place, row in enumerate(wanted)}
    number, distance = np.zeros(len(wanted), np.int64), np.zeros(len(wanted))
    for row, features in read():
        if row in place_of:
            apart = np.linalg.norm(middles - _normalise(features), axis=1)
            nearest = known.get(row, int(apart.argmin()))
            number[place_of[row]], distance[place_of[row]] = nearest, apart[nearest]
    sizes = np.bincount(number, minlength=len(middles))
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(1, len(order) + 1)
    return Groups(wanted, rank[number], distance)


def _normalise(features: Floats) -> Floats:
    length = float(np.linalg.norm(features))
    return features / length if length else features
