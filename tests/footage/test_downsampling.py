import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.footage.downsampling import downsample
from primatrix.records import ClipSpec
from primatrix.video import decode_clip


@pytest.fixture
def footage(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    (folder / "site 1").mkdir(parents=True)
    make_video(folder / "site 1" / "long.AVI", frames=24 * 16, rate=24, codec="mpeg4")
    make_video(folder / "site 1" / "short.mp4", frames=72, rate=24)
    make_video(folder / "twin.mov", frames=24, rate=24)
    make_video(folder / "twin.mkv", frames=48, rate=24)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def count_frames(path: Path) -> tuple[int, int, int, float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.frames, stream.height, stream.width, float(stream.average_rate)


def test_names_and_subfolders_are_kept_and_time_is_sampled_at_two_frames_a_second(
    footage: Path, tmp_path: Path
) -> None:
    target = tmp_path / "nano"
    run = downsample(footage, target, workers=2)
    made = {path.relative_to(target).as_posix(): count_frames(path) for path in target.rglob("*.mp4")}
    assert made == {
        "site 1/long.mp4": (30, 16, 16, 2.0),
        "site 1/short.mp4": (6, 16, 16, 2.0),
        "twin.mov.mp4": (2, 16, 16, 2.0),
        "twin.mkv.mp4": (4, 16, 16, 2.0),
    }
    assert (run.written, run.present, run.partial) == (4, 0, ())
    assert [failure.name for failure in run.failures] == ["broken.mp4"]
    assert (target / "failures.csv").read_text().splitlines()[1].startswith("broken.mp4,open,not readable")
    lost, *lines = run.summary().splitlines()
    assert lost.startswith("1 of 5 videos (20 %) could not be read: not readable as video")
    assert lines == [
        f"4 clips written, 0 were there: {target}",
        "0 from files that are damaged or cut short, 1 not readable",
    ]


def test_the_frames_are_those_on_display_every_half_second(footage: Path, tmp_path: Path) -> None:
    downsample(footage, tmp_path / "micro", size_px=(64, 64), workers=0)
    spec = ClipSpec(frames=72, height_px=64, width_px=64, colour="rgb")
    every_half = decode_clip(footage / "site 1" / "short.mp4", spec).frames[::12]
    small = ClipSpec(frames=6, height_px=64, width_px=64, colour="rgb")
    made = decode_clip(tmp_path / "micro" / "site 1" / "short.mp4", small).frames
    difference = np.abs(made.astype(int) - every_half).mean(axis=(1, 2, 3))
    others = np.abs(made[1:].astype(int) - every_half[:-1]).mean(axis=(1, 2, 3))
    assert difference.max() < 0.5 * others.min()


def test_the_same_call_again_makes_only_what_is_missing_or_changed(footage: Path, tmp_path: Path) -> None:
    target = tmp_path / "nano"
    downsample(footage, target, workers=0)
    (target / "twin.mkv.mp4").unlink()
    os.utime(footage / "twin.mov", ns=(10**18, 10**18))
    before = (target / "site 1" / "long.mp4").stat().st_ino
    run = downsample(footage, target, workers=0)
    assert (run.written, run.present, len(run.failures)) == (2, 2, 1)
    assert (target / "site 1" / "long.mp4").stat().st_ino == before


def test_a_target_made_otherwise_and_odd_sizes_are_refused(footage: Path, tmp_path: Path) -> None:
    downsample(footage, tmp_path / "nano", workers=0)
    with pytest.raises(
        InputError, match=r"got clips made with .*16, 16.*, wanted .*64, 64.*; use another target"
    ):
        downsample(footage, tmp_path / "nano", size_px=(64, 64), workers=0)
    with pytest.raises(InputError, match="got 15x16, wanted even height and width"):
        downsample(footage, tmp_path / "odd", size_px=(15, 16), workers=0)


@pytest.mark.skipif(os.name != "posix", reason="limits")
def test_a_target_that_takes_no_more_stops_in_one_line(footage: Path, tmp_path: Path) -> None:
    code = "import resource, sys; from primatrix.footage import downsample; "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); downsample(*sys.argv[1:], workers=0)"
    command = [sys.executable, "-c", code, str(footage), str(tmp_path / "nano")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"primatrix.errors.InputError: {tmp_path / 'nano'}: cannot be written: File too large; "
        "mend that and run the same command again"
    )
    assert not list((tmp_path / "nano").rglob("*.mp4"))


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_run_goes_on_and_gives_the_same_files(footage: Path, tmp_path: Path) -> None:
    for i in range(60):
        os.link(footage / "site 1" / "short.mp4", footage / f"{i:02}.mp4")
    downsample(footage, tmp_path / "whole", workers=0)
    code = "import sys; from primatrix.footage import downsample; print(flush=True); "
    code += "downsample(*sys.argv[1:], workers=2)"
    for pause_seconds in (0.25, 0.3, 0.35):
        command = [sys.executable, "-c", code, str(footage), str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=-1) as script:
            assert script.stdout is not None
            script.stdout.readline()
            time.sleep(pause_seconds)
            script.send_signal(signal.SIGKILL)
    downsample(footage, tmp_path / "killed", workers=0)
    for path in (tmp_path / "whole").rglob("*.mp4"):
        other = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
        assert other.read_bytes() == path.read_bytes()


def test_another_card_or_folder_is_never_written_over(footage: Path, tmp_path: Path) -> None:
    card = tmp_path / "card B" / "site 1"
    card.mkdir(parents=True)
    film = (footage / "site 1" / "short.mp4").read_bytes()
    (card / "short.mp4").write_bytes(film)
    with pytest.raises(InputError, match="holds files that downsample did not make"):
        downsample(footage, card.parent, workers=0)
    assert (card / "short.mp4").read_bytes() == film
    assert not (card.parent / "downsample.json").exists()


def test_two_cards_into_one_target_are_refused_before_a_clip_is_replaced(
    footage: Path, tmp_path: Path
) -> None:
    downsample(footage, tmp_path / "nano", workers=0)
    made = (tmp_path / "nano" / "site 1" / "short.mp4").read_bytes()
    other = tmp_path / "other card"
    footage.rename(other)
    footage.mkdir()
    with pytest.raises(
        InputError, match=r'"source": ".*raw"}, wanted {"source": ".*other card"}; use another target'
    ):
        downsample(other, tmp_path / "nano", workers=0)
    assert (tmp_path / "nano" / "site 1" / "short.mp4").read_bytes() == made


@pytest.mark.parametrize("target", ["raw", "raw/nano", "."])
def test_a_target_that_overlaps_the_source_is_refused(footage: Path, tmp_path: Path, target: str) -> None:
    before = sorted(footage.rglob("*"))
    with pytest.raises(
        InputError, match=r"lies inside .* or around it, wanted a place of its own; name another"
    ):
        downsample(footage, tmp_path / target, workers=0)
    assert sorted(footage.rglob("*")) == before


def test_two_runs_into_one_folder_are_refused(footage: Path, tmp_path: Path) -> None:
    def start_another(progress: object) -> None:
        with pytest.raises(InputError, match="another downsample is writing there"):
            downsample(footage, tmp_path / "nano", workers=0)

    assert downsample(footage, tmp_path / "nano", workers=0, on_progress=start_another).written == 4
