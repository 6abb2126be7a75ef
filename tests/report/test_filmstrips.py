import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from primatrix.report.filmstrips import Filmstrip, choose_moments, cut_filmstrip, draw_filmstrips
from primatrix.report.selection import Strip


@settings(max_examples=50)
@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=50), st.one_of(st.none(), st.floats(-10, 300)))
def test_moments_rise_are_never_doubled_and_lie_in_the_clip(steps: list[float], centre: float | None) -> None:
    pts = np.cumsum(steps).tolist()
    moments = choose_moments(pts, centre)
    assert 1 <= len(moments) <= 5
    assert moments == sorted(set(moments))
    assert moments[0] >= 0
    assert moments[-1] < len(pts)


def test_a_filmstrip_shows_the_clip_in_its_shape(tmp_path: Path, make_video: Callable[..., Path]) -> None:
    strip = cut_filmstrip(make_video(tmp_path / "a.mp4", frames=150, size=(320, 240)), centre_seconds=4.0)
    picture = Image.open(io.BytesIO(strip.webp))
    assert picture.size == (strip.width_px, strip.height_px) == (5 * 200 + 4 * 2, 150)
    assert strip.seconds == pytest.approx((1.96, 2.96, 3.96, 4.96, 5.96), abs=0.05)


def test_a_turned_clip_is_shown_upright(tmp_path: Path, make_video: Callable[..., Path]) -> None:
    strip = cut_filmstrip(make_video(tmp_path / "a.mp4", frames=25, size=(320, 240), rotation=90))
    assert (strip.height_px, strip.width_px) == (150, 5 * 112 + 4 * 2)


def test_missing_and_broken_files_get_their_reason_not_a_picture(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    make_video(tmp_path / "good.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    strips = [Strip(name, "hog", "surest", 0.9) for name in ("gone.mp4", "broken.mp4", "good.mp4")]
    drawn = draw_filmstrips(strips, tmp_path, workers=1)
    assert drawn[strips[0]] == "no such file; check the path"
    assert str(drawn[strips[1]]).startswith("open: not readable as video")
    assert isinstance(drawn[strips[2]], Filmstrip)


def test_a_path_that_leads_outside_the_footage_is_not_opened(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    for folder in ("private", "footage", "footage/b"):
        (tmp_path / folder).mkdir()
    private = make_video(tmp_path / "private" / "x.mp4")
    make_video(tmp_path / "footage" / "a.mp4")
    names = ("../private/x.mp4", str(private), "a/../../private/x.mp4", "..\\private\\x.mp4", "x\0.mp4")
    strips = [Strip(name, "hog", "surest", 0.9) for name in (*names, "b/../a.mp4")]
    drawn = draw_filmstrips(strips, tmp_path / "footage", workers=0)
    for strip in strips[:-1]:
        assert drawn[strip] == "its path leads outside the folder of footage, so it was not opened"
    assert isinstance(drawn[strips[-1]], Filmstrip)  # which is in it


def test_pictures_stop_at_the_budget_and_the_first_are_kept(
    tmp_path: Path, make_video: Callable[..., Path]
) -> None:
    for name in "abc":
        make_video(tmp_path / f"{name}.mp4")
    strips = [Strip(f"{name}.mp4", "hog", "surest", 0.9) for name in "abc"]
    sizes = [len(cut_filmstrip(tmp_path / f"{name}.mp4").webp) for name in "abc"]
    budget_bytes = sizes[0] + sizes[1] + sizes[2] // 2
    drawn = draw_filmstrips(strips, tmp_path, workers=0, budget_bytes=budget_bytes)
    assert [isinstance(drawn[strip], str) for strip in strips] == [False, False, True]
