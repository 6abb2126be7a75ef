import numpy as np
import pytest
import torch

from primatrix.models.background import (
    find_background,
    find_usual_change,
    fold_pixels,
    follow_light,
    level_contrast,
    measure_change,
    measure_novelty,
    median_network,
)


@pytest.mark.parametrize("frames", [1, 3, 5, 7, 9, 11, 13, 15])
def test_background_is_the_median_of_an_odd_number_of_frames(frames: int) -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, frames, 4, 5, 3), np.uint8))
    assert torch.equal(find_background(x), x.median(1).values)
    assert torch.equal(find_background(x.float()), x.float().median(1).values)


def test_of_30_frames_15_evenly_spread_ones_make_the_background() -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 30, 4, 5, 3), np.uint8))
    assert torch.equal(find_background(x), x[:, 1::2].median(1).values)


def test_of_two_frames_the_darker_pixels_are_the_background() -> None:
    x = torch.tensor([9, 4]).view(1, 2, 1, 1, 1)
    assert find_background(x).item() == 4


@pytest.mark.parametrize("count", range(1, 31))
def test_the_network_puts_the_middle_value_in_the_middle(count: int) -> None:
    values = [list(row) for row in np.random.default_rng(count).integers(0, 9, (20, count))]
    for row in values:
        expected = sorted(row)[(count - 1) // 2]
        for low, high in median_network(count):
            row[low], row[high] = min(row[low], row[high]), max(row[low], row[high])
        assert row[(count - 1) // 2] == expected


def test_folding_keeps_every_pixel_of_whole_squares() -> None:
    x = torch.arange(2 * 3 * 7 * 9 * 3).view(2, 3, 7, 9, 3)
    folded = fold_pixels(x, side_px=2)
    assert folded.shape == (2, 3, 3, 4, 12)
    assert torch.equal(folded.unflatten(-1, (3, 2, 2))[1, 2, 1, 3, 2], x[1, 2, 2:4, 6:8, 2])
    assert torch.equal(fold_pixels(x, side_px=1), x)


def make_clip() -> torch.Tensor:
    """Seven frames of grey 100 with a square of 200 in frame 5 only, and a corner that flickers all the time."""
    x = torch.full((1, 7, 8, 8, 3), 100.0)
    x[:, 5, 2:4, 2:4] = 200
    x[:, :, 0, 0] = torch.tensor([100.0, 130, 160, 100, 130, 160, 130])[:, None]
    return fold_pixels(x, side_px=1)


def see(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Difference from the background, and how new it is."""
    still = follow_light(x, find_background(x), colours=3)
    change = measure_change(x, still, colours=3)
    return x.float() - still.float(), measure_novelty(change, find_usual_change(change))


def test_what_comes_once_is_newer_than_what_flickers_all_the_time() -> None:
    difference, novelty = see(make_clip())
    assert difference.shape == (1, 7, 8, 8, 3)
    assert novelty.shape == (1, 7, 8, 8, 1)
    assert difference[0, 5, 2, 2, 0].item() == pytest.approx(100, abs=2)
    assert novelty[0, 5, 2, 2, 0].item() == 4
    assert novelty[0, :, 0, 0, 0].max() < 0.5
    assert novelty[0, 3, 5, 5, 0].item() < 0.1


def test_a_change_of_the_whole_pictures_light_is_taken_off() -> None:
    x = make_clip()
    lamp = torch.tensor([0.0, 9, 0, 0, -8, 0, 3]).view(1, 7, 1, 1, 1)
    background = find_background(x)
    steady = x - follow_light(x, background, colours=3)
    flickering = x + lamp - follow_light(x + lamp, background, colours=3)
    assert (steady - flickering).abs().max() < 2


def test_bytes_and_floats_see_the_same_but_for_rounding() -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 7, 8, 8, 3), np.uint8))
    for bytes_see, floats_see in zip(
        see(fold_pixels(x, side_px=2)), see(fold_pixels(x.float(), side_px=2)), strict=True
    ):
        assert (bytes_see - floats_see).abs().max() <= 1


def test_levelled_contrast_knows_neither_sun_nor_shade() -> None:
    rng = np.random.default_rng(0)
    place = torch.from_numpy(rng.integers(0, 256, (1, 48, 64, 3)).astype(np.float32))
    shade = place.clone()
    shade[:, :, 32:] = shade[:, :, 32:] / 2 + 20
    whole, half = (level_contrast(x, colours=3)[..., 0] for x in (place, shade))
    assert whole.shape == (1, 48, 64)
    far = torch.cat([whole[:, :, :24] - half[:, :, :24], whole[:, :, 40:] - half[:, :, 40:]], 2)
    assert far.abs().max() < 0.35  # a spread of 6 grey levels is added to one of 20
    assert whole.std() > 0.8
    other = torch.from_numpy(rng.integers(0, 256, (1, 48, 64, 3)).astype(np.float32))
    assert (level_contrast(other, colours=3)[..., 0] - whole).abs().mean() > 0.8


def test_levelled_contrast_takes_mean_and_spread_of_the_square_around_a_pixel() -> None:
    picture = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 17, 19, 1)).astype(np.float64))
    leveled = level_contrast(picture, colours=1)[0, ..., 0].numpy()
    square = picture[0, 4:9, 8:13, 0].numpy()  # an eighth of 17 rows: two each way
    expected = (picture[0, 6, 10, 0].item() - square.mean()) / (square.std() + 6)
    assert leveled[6, 10] == pytest.approx(expected, rel=1e-4)
    corner = picture[0, :3, :3, 0].numpy()  # beyond the edge nothing is counted in
    expected = (picture[0, 0, 0, 0].item() - corner.mean()) / (corner.std() + 6)
    assert leveled[0, 0] == pytest.approx(expected, rel=1e-4)


def test_levelled_contrast_of_folded_pixels_keeps_their_places() -> None:
    picture = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 32, 32, 3), np.uint8))
    folded = level_contrast(fold_pixels(picture, side_px=2)[:, 0], colours=3)
    again = fold_pixels(level_contrast(picture[:, 0], colours=3)[:, None], side_px=2)[:, 0]
    assert folded.shape == again.shape == (1, 16, 16, 4)
    assert np.corrcoef(folded.flatten().numpy(), again.flatten().numpy())[0, 1] > 0.98


@pytest.mark.parametrize(("colours", "places"), [(3, 4), (1, 4), (3, 1), (3, 16)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_change_is_the_largest_over_colours(colours: int, places: int, dtype: torch.dtype) -> None:
    """However many places a square has: four bytes are read as one number."""
    random = torch.Generator().manual_seed(0)
    x, still = (
        torch.randint(0, 256, (2, frames, 3, 5, colours * places), generator=random).to(dtype)
        for frames in (4, 1)
    )
    expected = (x.float() - still.float()).abs().view(2, 4, 3, 5, colours, places).amax(4)
    change = measure_change(x, still, colours=colours)
    assert change.dtype == dtype
    assert torch.equal(change.float(), expected)
    assert torch.equal(measure_change(x[:, ::2], still, colours=colours), change[:, ::2])
