import numpy as np

from primatrix.tagging.movements import find_stretches
from primatrix.tagging.sights import Sight


def make_sight(*closeups: tuple[float, float]) -> Sight:
    """Close-ups at these seconds with so much that is new; the left edge of each is its second by 100."""
    return Sight(
        "ok", closeups=np.array([[s, s / 100, 0.25, 0.125, 0.5, novelty] for s, novelty in closeups])
    )


def test_closeups_at_most_four_seconds_apart_are_one_stretch() -> None:
    found = find_stretches(make_sight((6.0, 0.1), (2.0, 0.3), (10.5, 0.2), (9.999, 0.15)))
    assert found == [(2.0, 10.5, 2.0, 0.02, 0.25, 0.125, 0.5, 0.3)]
    first, second = find_stretches(make_sight((2.0, 0.3), (6.1, 0.1)))
    assert (first[:3], second[:3]) == ((2.0, 2.0, 2.0), (6.1, 6.1, 6.1))


def test_a_stretch_says_where_its_most_telling_closeup_is() -> None:
    (found,) = find_stretches(make_sight((2.0, 0.1), (3.0, 0.3), (4.0, 0.2)))
    assert found == (2.0, 4.0, 3.0, 0.03, 0.25, 0.125, 0.5, 0.3)


def test_where_nothing_moves_there_is_no_stretch() -> None:
    assert find_stretches(Sight("ok")) == []
