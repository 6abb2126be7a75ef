from collections.abc import Callable
from pathlib import Path
from typing import Any

from primatrix.records import ClipSpec
from primatrix.simulation import SimulationSpec, simulate
from primatrix.video import decode_clip

Run = Callable[..., Any]  # Any: conftest's Ended


def test_downsample_makes_clips_the_dataset_can_read(tmp_path: Path, run: Run) -> None:
    raw = SimulationSpec(
        train_clips=2, test_clips=1, raw_height_px=48, raw_width_px=64, raw_frames_per_second=6
    )
    data = tmp_path / "data"
    simulate(data, spec=raw, sizes=["raw"], workers=1)
    ended = run("downsample", data / "raw", data / "micro", "--size", "micro", "--workers", 0)
    assert ended.code == 0
    assert "3 clips written" in ended.out
    pack = ("pack", data, "--type", "micro", "--frames", 30, "--workers", 0)
    ended = run(*pack)
    assert (ended.code, "3 whole" in ended.out) == (0, True)
    assert (
        "0 clips packed" in run(*pack, "--size", "64x64").out
    )  # as large as they are, unless told otherwise


def test_a_size_of_ones_own_is_height_and_width(footage: Path, tmp_path: Path, run: Run) -> None:
    ended = run("downsample", footage, tmp_path / "small", "--size", "8x12", "--workers", 0, "-q")
    assert (ended.code, ended.err) == (0, "")
    assert decode_clip(tmp_path / "small" / "3.mp4", ClipSpec(1, 8, 12)).frames.shape == (1, 8, 12, 1)
    ended = run("downsample", footage, tmp_path / "odd", "--size", "7x12")
    assert (ended.code, "wanted even height and width" in ended.err) == (2, True)
