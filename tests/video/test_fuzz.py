import random
from functools import partial
from pathlib import Path

import pytest

from primatrix.video.pool import DecodePool, FilePool, PoolOptions

BENCH = Path(__file__).resolve().parents[2] / "bench" / "decode"


@pytest.mark.skipif(
    not BENCH.is_dir(), reason="the long run and its seed set live in bench/decode, not installed"
)
def test_mutated_files_break_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    import fuzz_decode

    report = fuzz_decode.fuzz(tmp_path, files=500, seed=0, workers=2)
    assert report.files == 500
    assert report.offenders == []
    assert report.worker_deaths == 0
    assert min(report.counts[status] for status in ("ok", "partial", "failed: open")) > 50


def test_a_jpeg_whose_scan_header_is_damaged_gives_no_frame(tmp_path: Path, make_video) -> None:  # type: ignore[no-untyped-def]
    from primatrix.records import ClipSpec
    from primatrix.video.decode import decode_clip

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


# Mutants that once gave a frame that was not decoded: JPEGs painted by half, pictures concealed with
# whatever lay in memory, an HEVC slice that ends early, damage that libav conceals without a flag.
FOUND = [(0, 62), (0, 127), (0, 408), (0, 930), (0, 2394), (1, 2050), (1, 3678), (1, 4983)]


def test_mutants_that_once_broke_a_promise_do_so_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    import fuzz_decode

    bases = fuzz_decode.make_bases(tmp_path)
    contents, suffixes = [path.read_bytes() for path in bases], [path.suffix for path in bases]
    paths = []
    for seed, number in FOUND:
        content, suffix = fuzz_decode.mutate(contents, suffixes, random.Random(f"{seed} {number}"))
        paths.append(tmp_path / f"{seed}-{number}{suffix}")
        paths[-1].write_bytes(content)
    report = fuzz_decode.Report()
    options = PoolOptions(workers=0)
    witness = FilePool(partial(fuzz_decode.decode_plainly, fuzz_decode.SPEC), options=options)
    with DecodePool(fuzz_decode.SPEC, options=options) as decoder, witness:
        assert fuzz_decode.check_batch(paths, (decoder, witness), report) == []
    assert report.files == len(FOUND)
