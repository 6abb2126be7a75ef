import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.training.augmentation import Augmentation, augment_clips

FULL = Augmentation(
    flip=0.5, crop=0.3, rotate=10, zoom=0.3, shift=0.1, brightness=0.2, contrast=0.3, gamma=0.3, grey=0.3,
    jitter=0.3, drop=0.2,
)  # fmt: skip


def make_clips(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def augment(x: np.ndarray, *, seed: int = 0, step: int = 0, **amounts: float) -> np.ndarray:
    return augment_clips(x, augmentation=Augmentation(**amounts), seed=seed, step=step)


def test_the_same_seed_and_step_change_clips_alike_and_others_otherwise() -> None:
    x = make_clips(4, 6, 16, 20, 3)
    first, again = (augment_clips(x, augmentation=FULL, seed=1, step=2) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for seed, step in ((1, 3), (2, 2)):
        assert (augment_clips(x, augmentation=FULL, seed=seed, step=step) != first).any()
    assert (first.shape, first.dtype) == (x.shape, np.uint8)
    np.testing.assert_array_equal(x, make_clips(4, 6, 16, 20, 3))  # what went in is as it was


def test_nothing_is_changed_where_nothing_is_asked() -> None:
    x = make_clips(2, 3, 8, 8, 1)
    assert augment(x) is x


@pytest.mark.parametrize(
    "name", ["flip", "crop", "rotate", "zoom", "shift", "brightness", "contrast", "gamma", "grey"]
)
def test_all_frames_of_a_clip_are_changed_alike_and_clips_each_in_its_own_way(name: str) -> None:
    still = np.repeat(make_clips(1, 1, 16, 16, 3), 8, axis=0).repeat(5, axis=1)  # 8 times the same still clip
    changed = augment(still, **{name: 0.5})
    assert (changed == changed[:, :1]).all()
    assert len(np.unique(changed.reshape(8, -1), axis=0)) > 1


def test_floats_are_changed_as_uint8_up_to_rounding() -> None:
    x = make_clips(3, 4, 16, 16, 3)
    exact = augment_clips(x.astype(np.float64), augmentation=FULL, seed=0, step=0)
    assert exact.dtype == np.float32
    assert (
        np.abs(augment_clips(x, augmentation=FULL, seed=0, step=0) - exact).max() < 4
    )  # two roundings, then gamma


def test_a_crop_shows_a_part_enlarged() -> None:
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8)[:, None], (5, 2, 64, 64))
    x = ramp.swapaxes(2, 3)[..., None]  # brightness is the column
    cut = augment(x, crop=0.5)
    widths = np.ptp(cut, axis=(1, 2, 3, 4)) / 252
    assert (widths >= 0.48).all()
    assert widths.min() < 0.9
    assert (np.diff(cut[:, 0, 0, :, 0].astype(int), axis=1) >= 0).all()


def test_rotation_turns_about_the_middle_in_pixels() -> None:
    x = np.zeros((40, 1, 33, 65, 1), np.uint8)
    x[:, :, 16, :] = 255  # a level line through the middle of pictures twice as wide as high
    turned = augment(x, rotate=20)[:, 0, :, :, 0].astype(float)
    rows = np.arange(33)[:, None]
    heights = (turned * rows).sum(axis=1) / turned.sum(axis=1)  # (40, 65): where the line lies in each column
    np.testing.assert_allclose(heights[:, 32], 16, atol=0.1)
    degrees = np.rad2deg(np.arctan((heights[:, 52] - heights[:, 12]) / 40))
    assert -20.5 < degrees.min() < -10 < 10 < degrees.max() < 20.5


def test_zoom_enlarges_and_makes_smaller_about_the_middle() -> None:
    x = np.zeros((60, 1, 64, 64, 1), np.uint8)
    x[:, :, 24:40, 24:40] = 255
    zoomed = augment(x, zoom=np.log(1.5))[:, 0, :, :, 0] / 255.0
    heights, widths = zoomed[:, :, 32].sum(axis=1), zoomed[:, 32].sum(axis=1)
    for sides in (heights, widths):
        assert 16 / 1.5 / 1.08 < sides.min() < 13 < 20 < sides.max() < 16 * 1.5 * 1.08
    assert (np.abs(np.log(heights / widths)) < np.log(1.5) / 3 + 0.05).all()
    assert np.abs(np.log(heights / widths)).max() > 0.06
    np.testing.assert_allclose(
        (zoomed * np.arange(64)).sum(axis=(1, 2)) / zoomed.sum(axis=(1, 2)), 31.5, atol=0.1
    )


def test_shift_moves_a_picture_and_mirrors_it_at_its_edges() -> None:
    x = np.zeros((60, 1, 32, 64, 1), np.uint8)
    x[:, :, 15:17, 31:33] = 252
    moved = augment(x, shift=0.25)[:, 0, :, :, 0].astype(float)
    rows = (moved.sum(axis=2) * np.arange(32)).sum(axis=1) / moved.sum(axis=(1, 2)) - 15.5
    columns = (moved.sum(axis=1) * np.arange(64)).sum(axis=1) / moved.sum(axis=(1, 2)) - 31.5
    assert -8.1 < rows.min() < -5 < 5 < rows.max() < 8.1
    assert -16.1 < columns.min() < -10 < 10 < columns.max() < 16.1
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None], (20, 1, 8, 64, 1))
    seen = augment(ramp, shift=0.25)[:, 0, 0, :, 0].astype(int)
    assert (np.abs(np.diff(seen, axis=1)) <= 1).all()  # no jump where the mirrored part begins


def test_light_follows_its_formulas() -> None:
    x = np.full((64, 1, 1, 1, 1), 191, np.uint8)
    brightness = augment(x, brightness=0.1).ravel().astype(int)
    assert brightness.min() < 171 < 211 < brightness.max()
    assert np.abs(brightness - 191).max() <= 26
    contrast = augment(x, contrast=np.log(2)).ravel()
    assert 158 < contrast.min() < 164 < 240 < contrast.max() <= 255  # 127.5 + 63.5 times 1/2 to 2
    gamma = augment(x, gamma=np.log(2)).ravel()
    assert 142 < gamma.min() < 150 < 215 < gamma.max() < 222  # 255 * 0.749 ** 2 and ** 0.5


def test_grey_is_the_luma_of_colour_and_leaves_grey_clips_alone() -> None:
    x = np.full((1, 1, 1, 1, 3), (255, 0, 0), np.uint8)
    assert augment(x, grey=1.0).ravel().tolist() == [76] * 3
    grey = make_clips(2, 2, 4, 4, 1)
    np.testing.assert_array_equal(augment(grey, grey=1.0), grey)


def test_lost_frames_repeat_the_one_before_and_jitter_keeps_the_order() -> None:
    x = np.arange(40, dtype=np.uint8).reshape(1, 40, 1, 1, 1).repeat(9, axis=0)
    lost = augment(x, drop=0.3).reshape(9, 40).astype(int)
    repeated = np.diff(lost, axis=1) == 0
    assert 0.15 < repeated.mean() < 0.45
    assert (lost[:, 1:][~repeated] == np.broadcast_to(np.arange(1, 40), (9, 39))[~repeated]).all()
    played = augment(x, jitter=0.5).reshape(9, 40).astype(int)
    assert (np.diff(played, axis=1) >= 0).all()
    assert (np.ptp(played, axis=1) >= 19).all()
    assert np.ptp(played, axis=1).min() < 36
    assert len(augment(x[:, :1], jitter=0.5, drop=0.9)[0]) == 1


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({"flip": 1.5}, "flip: got 1.5, wanted 0 to 1"),
        ({"crop": 1.0}, "crop: got 1.0, wanted 0 to below 1"),
        ({"rotate": -5}, "rotate: got -5, wanted 0 or more"),
        ({"shift": 1.0}, "shift: got 1.0, wanted 0 to below 1"),
        ({"gamma": -1.0}, "gamma: got -1.0, wanted 0 or more"),
        ({"drop": "often"}, "drop: got 'often', wanted a finite number"),
    ],
)
def test_amounts_that_cannot_be_are_refused(amounts: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augmentation(**amounts)  # type: ignore[arg-type]
