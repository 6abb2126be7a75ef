from pathlib import Path

import av
import numpy as np
import pytest

from primatrix.simulation.damage import DAMAGES, damage_file
from primatrix.video import write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "clip.mp4"
    write_clip(path, rng.integers(0, 255, (30, 16, 16, 3), np.uint8), frames_per_second=2)
    return path


def test_kinds_are_numbered_and_the_first_is_none(clip: Path) -> None:
    assert DAMAGES == ("whole", "empty", "truncated", "random bytes", "audio only", "text")
    before = clip.read_bytes()
    damage_file(clip, "whole", seed=(0,))
    assert clip.read_bytes() == before


def test_truncated_keeps_the_first_half(clip: Path) -> None:
    before = clip.read_bytes()
    damage_file(clip, "truncated", seed=(0,))
    assert clip.read_bytes() == before[: len(before) // 2]


def test_empty_holds_nothing_and_text_is_text(clip: Path) -> None:
    damage_file(clip, "empty", seed=(0,))
    assert clip.read_bytes() == b""
    damage_file(clip, "text", seed=(0,))
    assert clip.read_text(encoding="utf-8") == "This is not a video.\n"


def test_random_bytes_are_as_many_as_before_and_follow_from_the_seed(clip: Path) -> None:
    size = clip.stat().st_size
    assert size > 1000
    made = []
    for seed in ((5, 1), (5, 1), (5, 2)):
        damage_file(clip, "random bytes", seed=seed)
        made.append(clip.read_bytes())
    assert made[0] == made[1] != made[2]
    assert [len(content) for content in made] == [size] * 3


def test_random_bytes_of_a_tiny_file_are_1000(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    damage_file(tmp_path / "clip.mp4", "random bytes", seed=(0,))
    assert (tmp_path / "clip.mp4").stat().st_size == 1000


def test_audio_only_is_a_file_with_sound_and_no_picture(clip: Path) -> None:
    damage_file(clip, "audio only", seed=(0,))
    with av.open(str(clip)) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (0, 1)
