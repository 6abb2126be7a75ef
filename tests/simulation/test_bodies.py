from dataclasses import replace

import numpy as np
import pytest

from primatrix.simulation.animals import LOOKS, Look
from primatrix.simulation.bodies import Body, Pose, build_body

KINDS = [
    pytest.param(look, id=f"{name}-{i}") for name, looks in LOOKS.items() for i, look in enumerate(looks)
]
MOMENTS = 12


def pose(**fields: float) -> Pose:
    """A whole stride; the animal stands still but for what is given."""
    still = {name: np.full(MOMENTS, fields.get(name, 0.0), np.float32) for name in Pose.__slots__}
    return Pose(**{**still, "phase": np.linspace(0, 1, MOMENTS, dtype=np.float32)})


def lowest(body: Body) -> np.ndarray:
    """The lowest point of the body at each moment, in shoulder heights above the ground."""
    ends = np.stack([body.start, body.end])[..., 2] - body.radius.T[:, :, None]
    return ends.min(axis=(0, 1))


@pytest.mark.parametrize("look", KINDS)
def test_a_body_stands_on_the_ground_and_is_about_as_high_as_its_shoulders(look: Look) -> None:
    body = build_body(look, pose())
    assert np.abs(lowest(body)).max() < 0.03
    top = max(body.start[..., 2].max(), body.end[..., 2].max())
    assert 0.5 < top < 2.1


@pytest.mark.parametrize("look", KINDS)
def test_every_part_of_a_body_has_all_that_is_drawn_of_it(look: Look) -> None:
    body = build_body(look, pose(moving=1.0, sway=0.5))
    parts = len(body.tone)
    assert 8 <= parts <= 24
    assert body.start.shape == body.end.shape == (parts, MOMENTS, 3)
    assert body.radius.shape == (parts, 2)
    assert (body.radius > 0).all()
    assert (body.tone > 0).all()
    assert np.isfinite(body.start).all()
    assert np.isfinite(body.end).all()
    assert body.limb.sum() == {"quadruped": 8, "ape": 8, "human": 4, "bird": 2, "crawler": 4}[look.form]
    assert body.textured.sum() == (0 if look.form == "human" else 1)  # a coat's pattern lies on the trunk


@pytest.mark.parametrize("look", KINDS)
def test_an_animal_that_stands_still_does_not_move_and_one_that_walks_does(look: Look) -> None:
    still, walking = build_body(look, pose()), build_body(look, pose(moving=1.0))
    assert np.ptp(still.end, axis=1).max() < 1e-6
    feet = walking.end[walking.limb]
    assert np.ptp(feet[..., 0], axis=1).max() > 0.1
    assert walking.end[walking.limb][..., 2].min() >= 0  # no foot goes through the ground


def test_legs_of_one_side_do_not_swing_together() -> None:
    body = build_body(LOOKS["hog"][0], pose(moving=1.0))
    feet = body.end[body.limb][1::2]  # the lower legs
    far_forward = feet[..., 0].argmax(axis=1)
    assert len(set(far_forward.tolist())) == 4


def test_a_grazing_animal_has_its_head_down_and_a_sitting_one_its_rump() -> None:
    look = LOOKS["duiker"][0]
    heads = [build_body(look, pose(grazing=grazing)).end[-1, 0, 2] for grazing in (0.0, 0.5, 1.0)]
    assert heads[0] > heads[1] > heads[2]
    assert heads[2] < 0.4
    monkey = LOOKS["other (primate)"][0]
    trunk = build_body(monkey, pose()).textured.argmax()
    standing, sitting = (build_body(monkey, pose(sitting=sitting)) for sitting in (0.0, 1.0))
    assert sitting.start[trunk, 0, 2] < standing.start[trunk, 0, 2]
    assert sitting.end[trunk, 0, 2] > sitting.start[trunk, 0, 2]  # the chest over the rump


def test_an_animal_that_hops_leaves_the_ground_with_all_its_body() -> None:
    look = LOOKS["rodent"][1]
    still, hopping = build_body(look, pose()), build_body(look, pose(moving=1.0))
    trunk = still.textured.argmax()
    for ends in ("start", "end"):
        rise = getattr(hopping, ends)[trunk, :, 2] - getattr(still, ends)[trunk, :, 2]
        assert rise.max() > 0.3
        assert rise.min() > -0.03


def test_a_human_crouches_and_a_bird_in_the_air_beats_its_wings() -> None:
    human = LOOKS["human"][0]
    assert build_body(human, pose(sitting=1.0)).end[-1, 0, 2] < 0.7 * build_body(human, pose()).end[-1, 0, 2]
    bird = LOOKS["bird"][2]
    flying, walking = build_body(bird, pose(flying=1.0)), build_body(bird, pose())
    wing = flying.end[-1]
    assert np.ptp(wing[:, 2]) > 0.5
    assert np.ptp(walking.end[-1, :, 2]) < 1e-6
    assert np.abs(wing[:, 1]).max() > 3 * np.abs(walking.end[-1, :, 1]).max()


def test_only_animals_that_have_them_show_a_tail_horns_and_a_trunk() -> None:
    plain = replace(LOOKS["hog"][0], tail=0.0, horn=0.0, ear=0.0)

    def count(look: Look) -> int:
        return len(build_body(look, pose()).tone)

    assert count(replace(plain, tail=0.3)) == count(plain) + 1
    assert count(replace(plain, horn=0.2)) == count(plain) + 2
    assert count(replace(plain, ear=0.2)) == count(plain) + 2
    assert count(replace(plain, trunk=True)) == count(plain) + 4  # two pieces and two tusks
