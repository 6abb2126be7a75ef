"""Changes made to all clips together are those made to each, but for rounding."""

import dataclasses

import numpy as np
import pytest
import torch

from primatrix.training import changes as module
from primatrix.training.augmentation import Augmentation, draw_changes
from primatrix.training.changes import change_each, change_together

ALL = {
    "paste": 0.6, "jitter": 0.3, "drop": 0.2, "crop": 0.3, "rotate": 10, "zoom": 0.3, "shift": 0.1, "flip": 0.5,
    "grey": 0.3, "brightness": 0.2, "contrast": 0.3, "gamma": 0.3,
}  # fmt: skip
BLANK = np.arange(9) >= 4


def make_clips(*, colours: int = 3) -> np.ndarray:
    """Four clips that a bright animal crosses and five blank ones; two are seen by infrared light."""
    rng = np.random.default_rng(0)
    x = rng.integers(60, 120, (9, 1, 40, 36, colours)) + rng.integers(-3, 4, (9, 12, 40, 36, colours))
    for frame in range(6):
        x[:4, frame, 10:18, 3 * frame : 3 * frame + 9] = 200
    x[[2, 7]] = x[[2, 7]].mean(-1, keepdims=True)
    return x.astype(np.uint8)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    "names", [[name] for name in ALL] + [list(ALL)], ids=lambda names: names[0][:9] + "…" * (len(names) > 1)
)
def test_together_and_each_give_the_same_pixels(
    names: list[str], colours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = make_clips(colours=colours)
    augmentation = Augmentation(**{name: ALL[name] for name in names})
    drawn = draw_changes(x, augmentation=augmentation, seed=3, step=5, blank=BLANK)
    each = change_each(x, drawn)
    assert (each != x).any() or (names == ["grey"] and colours == 1)
    together = change_together(torch.from_numpy(x), drawn).numpy()
    assert (together.shape, together.dtype) == (each.shape, np.uint8)
    most = np.abs(together.astype(int) - each).max()
    assert most <= (3 if len(names) > 1 else 1)  # one level of rounding, stretched by contrast
    monkeypatch.setattr(module, "BYTES_TOGETHER", 2 * x[0].size)  # two at once: pastes reach into other parts
    np.testing.assert_array_equal(change_together(torch.from_numpy(x), drawn).numpy(), together)
    np.testing.assert_array_equal(x, make_clips(colours=colours))  # what went in is as it was


def test_a_part_seen_together_ends_at_its_own_edge() -> None:
    x = np.zeros((1, 1, 8, 8, 1), np.uint8)
    x[:, :, 2:6, 2:6] = 100
    x[:, :, :2] = x[:, :, 6:] = 255
    x[:, :, :, :2] = x[:, :, :, 6:] = 255
    none = draw_changes(x, augmentation=Augmentation(), seed=0, step=0)
    part = dataclasses.replace(none, parts=np.array([[2, 2, 4, 4]]))
    assert (change_together(torch.from_numpy(x), part).numpy() == 100).all()
    assert (change_each(x, part) == 100).all()
