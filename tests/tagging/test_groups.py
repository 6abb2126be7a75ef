from collections.abc import Iterable

import numpy as np
import pytest

from primatrix.tagging import groups
from primatrix.tagging.groups import cluster, group_clips

Features = dict[int, np.ndarray]


def make_clouds(*sizes: int, spread: float = 0.05) -> Features:
    """Clips around as many directions of 8, rows in a random order."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(sum(sizes)).tolist()
    points = [
        np.eye(8)[i] * rng.uniform(1, 9) + rng.normal(0, spread, 8)
        for i, n in enumerate(sizes)
        for _ in range(n)
    ]
    return {row: point.astype(np.float32) for row, point in zip(rows, points, strict=True)}


def find_numbers(features: Features) -> list[list[int]]:
    """The group numbers of clips, cloud by cloud."""
    found = group_clips(features.items)
    number = dict(zip(found.rows.tolist(), found.number.tolist(), strict=True))
    directions: dict[int, list[int]] = {}
    for row, point in features.items():
        directions.setdefault(int(point.argmax()), []).append(number[row])
    return [directions[i] for i in sorted(directions)]


def test_clips_that_look_alike_are_one_group_and_the_largest_is_the_first() -> None:
    first, second, third = find_numbers(make_clouds(3, 8, 5))
    assert (set(first), set(second), set(third)) == ({3}, {1}, {2})


def test_clips_that_look_the_same_are_not_parted() -> None:
    assert [set(numbers) for numbers in find_numbers(make_clouds(40, spread=0.01))] == [{1}]


def test_there_are_about_as_many_groups_as_clips_in_one_and_at_most_forty() -> None:
    rng = np.random.default_rng(0)
    for count, wanted in ((2, 2), (100, 10), (400, 20), (2500, 40)):
        points = rng.normal(size=(count, 64)).astype(np.float32)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        assert cluster(points).max() + 1 == wanted


def test_of_more_clips_than_are_clustered_the_rest_join_the_nearest_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "MOST_CLUSTERED", 12)
    sizes: list[int] = []
    whole = groups.cluster
    monkeypatch.setattr(groups, "cluster", lambda points: (sizes.append(len(points)), whole(points))[1])
    features = make_clouds(60, 30, 20)
    assert [set(numbers) for numbers in find_numbers(features)] == [{1}, {2}, {3}]
    assert sizes == [12]
    again = [group_clips(features.items).number.tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_members_are_listed_from_the_middle_outwards() -> None:
    angles = {0: 0.15, 1: -0.15, 2: 0.01, 3: 0.05}

    def read() -> Iterable[tuple[int, np.ndarray]]:
        for row, angle in angles.items():
            yield row, np.array([np.cos(angle), np.sin(angle)], np.float32)

    assert group_clips(read).list_members(1) == [2, 3, 0, 1]


def test_one_clip_is_a_group_and_none_are_none() -> None:
    one = group_clips({7: np.ones(3, np.float32)}.items)
    assert (one.rows.tolist(), one.number.tolist(), one.count) == ([7], [1], 1)
    assert group_clips({}.items).count == 0
