import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.footage.scan import scan_folder


@pytest.fixture
def card(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "card"
    folder.mkdir()
    make_video(folder / "a.mp4", frames=50, size=(64, 48))
    make_video(folder / "b.avi", frames=30, codec="mjpeg", pixel_format="yuvj420p", rate=10)
    make_video(folder / "turned.mp4", frames=5, rotation=90)
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "cut.avi").write_bytes((folder / "b.avi").read_bytes()[:-2000])
    return folder


def test_a_scan_has_a_row_for_every_file(card: Path, tmp_path: Path) -> None:
    run = scan_folder(card, workers=2)
    assert run.table["filename"].tolist() == ["a.mp4", "b.avi", "broken.mp4", "cut.avi", "turned.mp4"]
    assert run.table["status"].tolist() == ["ok", "ok", "failed", "partial", "ok"]
    assert run.table["reason"].iloc[3].startswith("cut short: ")
    assert run.failed == 1
    lost, *lines = run.summary().splitlines()
    assert lost.startswith("1 of 5 videos (20 %) could not be read: not readable as video: ")
    assert lines[0] == "5 videos: 4 readable (1 of them in part), 1 not; 0.00 h in all"
    assert lines[1:3] == ["       2  mov h264 64x48", "       2  avi mjpeg 64x48"]
    assert lines[3] == "broken.mp4: open: not readable as video: Invalid data found when processing input"
    assert pd.read_csv(run.write(tmp_path / "card.csv"))["frames"].iloc[0] == 50
    rows = json.loads(run.write(tmp_path / "card.json").read_text())
    assert (rows[1]["codec"], rows[2]["codec"], rows[2]["stage"]) == ("mjpeg", None, "open")
    with pytest.raises(InputError, match=r"wanted .csv or .json"):
        run.write(tmp_path / "card.txt")


def test_real_clips_have_their_true_length(shared_data: Path) -> None:
    expected = pd.read_csv(shared_data / "codec_zoo" / "expected.csv")
    table = scan_folder(shared_data / "codec_zoo" / "videos").table.set_index("filename")
    assert (table["status"] == "ok").all()
    for row in expected.itertuples():
        found = table.loc[row.filepath.removeprefix("videos/")]
        assert (found["frames"], found["width_px"]) == (row.frames_decoded, row.width)
        assert found["duration_seconds"] == pytest.approx(
            row.packets / row.fps, rel=0.05
        )  # some vary in rate


def test_a_locked_folder_has_a_row_and_false_videos_are_counted(
    public_folder: Path,
    as_anyone: Callable[[], AbstractContextManager[None]],
    make_video: Callable[..., Path],
) -> None:
    (public_folder / "locked").mkdir(mode=0)
    make_video(public_folder / "a.mp4", frames=5)
    (public_folder / "app.ts").write_text("export const answer = 42;\n")
    with as_anyone():
        run = scan_folder(public_folder, workers=0)
    assert run.table["filename"].tolist() == ["a.mp4", "locked/"]
    assert run.failed == 1
    lines = run.summary().splitlines()
    assert "       1  named .ts, but no video: left out" in lines
    assert lines[-1] == "locked/: read: folder not readable: Permission denied"
