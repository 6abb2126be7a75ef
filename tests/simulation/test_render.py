import numpy as np
import pytest
from numpy.typing import NDArray

from primatrix.labels import BLANK
from primatrix.simulation.animals import LOOKS
from primatrix.simulation.render import draw_clip, draw_frames
from primatrix.simulation.scenes import ClipPlan, Scene, make_scene

NOON, MIDNIGHT = 720, 0


def scene_of(species: str, *, clip: int = 1, site: int = 2, minute: int = NOON) -> Scene:
    shown = () if species == BLANK else (species,)
    return make_scene(ClipPlan(clip=clip, species=shown, site=site, event=clip, minute=minute), seed=0)


def draw(scene: Scene, height_px: int, width_px: int, *, frames: int = 30) -> NDArray[np.uint8]:
    pictures = draw_clip(scene, height_px=height_px, width_px=width_px, frames=frames, frames_per_second=2)
    return np.stack(list(pictures))


def shrink(pictures: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.float64]:
    count, height, width, channels = pictures.shape
    squares = pictures.reshape(
        count, height_px, height // height_px, width_px, width // width_px, channels
    ).astype(float)
    return squares.mean(axis=(2, 4))


@pytest.mark.parametrize("species", [BLANK, *LOOKS])
def test_every_species_can_be_drawn_by_day_and_by_night(species: str) -> None:
    for minute in (NOON, MIDNIGHT):
        pictures = draw(scene_of(species, minute=minute), 16, 16)
        assert pictures.shape == (30, 16, 16, 3)
        assert 10 < pictures.mean() < 220


@pytest.mark.parametrize("clip", range(6))
def test_small_pictures_show_what_large_ones_show(clip: int) -> None:
    scene = scene_of(
        ("hog", BLANK)[clip % 2], clip=clip, site=clip % 5, minute=(NOON, MIDNIGHT)[clip % 3 == 1]
    )
    nano, micro, large = (draw(scene, *size, frames=8) for size in ((16, 16), (64, 64), (192, 320)))
    for small, great in ((nano, micro), (nano, large), (micro, large)):
        less = shrink(great, *small.shape[1:3])
        assert np.abs(small - less).mean() < 8  # over-exposed pictures differ most: large ones clip first
        assert np.corrcoef(small.ravel(), less.ravel())[0, 1] > 0.98


def test_frames_do_not_depend_on_those_drawn_with_them() -> None:
    scene = scene_of("elephant")
    settings = {"frames_per_second": 24.0, "size_px": (64, 64)}
    together = draw_frames(scene, np.arange(40, 50), **settings)
    alone = np.concatenate([draw_frames(scene, np.arange(n, n + 1), **settings) for n in range(40, 50)])
    assert np.abs(together.astype(int) - alone).max() <= 1


def test_night_pictures_are_grey_and_day_pictures_are_not() -> None:
    night, day = (draw(scene_of("hog", minute=minute), 16, 16).astype(int) for minute in (MIDNIGHT, NOON))
    assert np.ptp(night, axis=-1).max() == 0
    assert np.ptp(day, axis=-1).mean() > 3


def test_animals_change_the_picture_more_than_wind_does() -> None:
    def change(species: str) -> float:
        scores = []
        for clip in range(24):
            grey = draw(scene_of(species, clip=clip, site=clip % 8), 16, 16).mean(axis=-1)
            scores.append(np.abs(grey - np.median(grey, axis=0)).max())
        return float(np.median(scores))

    assert change("human") > 1.3 * change(BLANK)
    assert change(BLANK) > 10  # false triggers move too
