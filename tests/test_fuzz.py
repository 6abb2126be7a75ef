from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.mark.skipif(not BENCH.is_dir(), reason="the long run and its seed set live in bench/, not installed")
def test_mutated_files_break_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    import fuzz_decode

    report = fuzz_decode.fuzz(tmp_path, files=500, seed=0, workers=2)
    assert report.files == 500
    assert report.offenders == []
    assert report.worker_deaths == 0
    assert min(report.counts[status] for status in ("ok", "partial", "failed: open")) > 50


def test_a_jpeg_whose_scan_header_is_damaged_gives_no_frame(tmp_path: Path, make_video) -> None:  # type: ignore[no-untyped-def]
    from primatrix.decode import decode_clip
    from primatrix.records import ClipSpec

    path = make_video(tmp_path / "a.avi", frames=6, codec="mjpeg", pixel_format="yuvj420p")
    content = bytearray(path.read_bytes())
    scans = [i for i in range(len(content) - 4) if content[i : i + 4] == b"\xff\xda\x00\x0c"]
    assert len(scans) == 6
    content[scans[2] + 4] = 67  # components
    path.write_bytes(content)
    clip = decode_clip(path, ClipSpec(frames=6))
    assert clip.note == "1 damaged frames left out"
    whole = make_video(tmp_path / "b.avi", frames=6, codec="mjpeg", pixel_format="yuvj420p")
    expected = decode_clip(whole, ClipSpec(frames=6)).frames
    assert (clip.frames == expected[[0, 1, 3, 3, 4, 5]]).all() or (
        clip.frames == expected[[0, 0, 1, 3, 4, 5]]
    ).all()
