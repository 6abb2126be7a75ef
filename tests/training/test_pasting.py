"""What moves in a clip, put on a blank clip's place."""

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, InputError, build_model, train
from primatrix.training.augmentation import Augmentation, augment_clips
from primatrix.training.pasting import draw_pastes, find_moving, paste_moving

FRAMES, SIDE = 12, 32


def make_place(seed: int, *, colours: int = 3, noise: int = 3) -> np.ndarray:
    """A textured place without animals, with a camera's noise."""
    rng = np.random.default_rng(seed)
    place = rng.integers(60, 120, (1, SIDE, SIDE, colours))
    return (place + rng.integers(-noise, noise + 1, (FRAMES, SIDE, SIDE, colours))).astype(np.uint8)


def walk_through(place: np.ndarray, *, grey: int = 230) -> tuple[np.ndarray, np.ndarray]:
    """A bright animal of 6x8 pixels crosses the place; where it is, (T, H, W)."""
    clip, where = place.copy(), np.zeros(place.shape[:3], bool)
    for t in range(FRAMES):
        where[t, 10:16, 2 * t : 2 * t + 8] = True
    clip[where] = grey
    return clip, where


def paste(clips: list[np.ndarray], *, blank: list[bool], chance: float = 1.0) -> np.ndarray:
    x = np.stack(clips)
    pastes = draw_pastes(x, blank=np.array(blank), chance=chance, rng=np.random.default_rng(0))
    pasted = x.copy()
    for clip, place in pastes:
        pasted[clip] = paste_moving(torch.from_numpy(x[[clip]]), torch.from_numpy(x[[place]]))[0].numpy()
    return pasted


def test_the_animal_stands_on_the_other_place_and_nothing_else_is_changed() -> None:
    place, other = make_place(0), make_place(1)
    clip, where = walk_through(place)
    pasted = paste([clip, other], blank=[False, True])
    inner = where.copy()
    inner[:, [10, 15]] = False
    assert (pasted[0][inner] == 230).mean() > 0.9
    far = np.ones_like(where)
    far[:, 8:18] = False
    np.testing.assert_array_equal(pasted[0][far], other[far])
    np.testing.assert_array_equal(pasted[1], other)
    floats = paste([clip.astype(np.float32), other.astype(np.float32)], blank=[False, True])
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats, pasted)


@pytest.mark.parametrize("grey", [False, True])
def test_an_animal_seen_by_infrared_light_goes_to_places_seen_by_it(grey: bool) -> None:
    clip, _ = walk_through(make_place(0, colours=1 if grey else 3))
    clip = np.broadcast_to(clip, (*clip.shape[:3], 3))
    night = np.broadcast_to(make_place(1, colours=1), clip.shape)
    changed = (paste([clip, night], blank=[False, True])[0] != clip).any()
    assert changed == grey


def test_where_nothing_can_be_cut_out_the_clip_stays() -> None:
    still, other = make_place(0), make_place(1)
    swaying = still.copy()
    for phase in (1, 2):  # what moves all the time is no animal
        swaying[phase::3, 5:20, 5:20] += 30 * phase
    for clip in (still, swaying):
        np.testing.assert_array_equal(paste([clip, other], blank=[False, True])[0], clip)
    animal, _ = walk_through(still)
    np.testing.assert_array_equal(paste([animal, animal], blank=[False, False])[0], animal)
    np.testing.assert_array_equal(paste([animal, other], blank=[False, True], chance=0)[0], animal)


def test_only_the_pixels_of_the_animal_move() -> None:
    clip, where = walk_through(make_place(0))
    moving = find_moving(torch.from_numpy(clip[None]))[0].numpy()
    assert not moving[~where].any()
    assert moving[where].mean() > 0.75  # corners have too few neighbours


def test_augmenting_asks_which_clips_are_blank_and_draws_the_same_again() -> None:
    clips = np.stack([walk_through(make_place(0))[0], make_place(1), make_place(2)])
    augmentation, blank = Augmentation(paste=1.0), np.array([False, True, True])
    one, two = (
        augment_clips(clips, augmentation=augmentation, seed=0, step=1, blank=blank) for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one[0] != clips[0]).any()
    with pytest.raises(InputError, match="which clips are blank"):
        augment_clips(clips, augmentation=augmentation, seed=0, step=1)


class Crossings:
    """Batches of one clip with an animal and one without."""

    num_batches, num_val_batches = 2, 1

    def batches(self):
        while True:
            clips = np.stack([walk_through(make_place(0))[0], make_place(1)])
            yield clips, np.eye(2, dtype=np.float32)

    val_batches = batches


def test_training_pastes_where_there_is_a_blank_class_and_says_so_where_not() -> None:
    spec = ClipSpec(FRAMES, SIDE, SIDE, "rgb")
    settings = {"epochs": 1, "device": "cpu", "augmentation": {"paste": 1.0}}
    losses = []
    for amount in (0.0, 1.0):
        model = build_model("motion", species=["hog", "blank"], spec=spec, width=4)
        settings["augmentation"] = dict.fromkeys(Augmentation.__slots__, 0.0) | {"paste": amount}
        losses.append(train(model, Crossings(), **settings).epochs[0].loss)
    assert losses[0] != losses[1]
    model = build_model("motion", species=["hog", "boar"], spec=spec, width=4)
    with pytest.raises(InputError, match="blank"):
        train(model, Crossings(), **settings)
