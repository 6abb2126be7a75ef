"""Small clips from raw footage, as the benchmark has them: 2 frames/s for 15 s, 16x16 or 64x64, H.264 MP4."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from primatrix.disk import hold_alone, read_json, write_failures, write_json
from primatrix.errors import DecodeError, InputError
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import SIZES_PX, ClipSpec, Failure, Progress, Video, say_lost
from primatrix.video import FilePool, PoolOptions, decode_clip, sample_per_second, search_folder, write_clip

__all__ = ["DownsampleRun", "downsample"]

MANIFEST_NAME, LOCK_NAME = "downsample.json", ".lock"


@dataclass(frozen=True, slots=True)
class DownsampleRun:
    """What a call of `downsample` did: clips written and found there, those made from damaged files."""

    written: int
    present: int
    partial: tuple[str, ...]
    failures: tuple[Failure, ...]
    target: Path
    failures_path: Path | None

    def summary(self) -> str:
        """Lines for the terminal."""
        unmade = sum(not failure.name.endswith("/") for failure in self.failures)
        lost = say_lost(self.failures, self.written + self.present + unmade, unit="videos")
        return f"{lost}\n" * bool(lost) + (
            f"{self.written} clips written, {self.present} were there: {self.target}\n"
            f"{len(self.partial)} from files that are damaged or cut short, {len(self.failures)} not readable"
        )


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How every clip of a run is made."""

    target: Path
    size_px: tuple[int, int]
    frames: int
    frames_per_second: float
    clashes: frozenset[str]

    def output_of(self, name: str) -> Path:
        """Where a video's clip goes: `a/b.AVI` to `a/b.mp4`, or `a/b.AVI.mp4` where `a/b.MOV` is there too."""
        plain = _plain_output(name)
        return self.target / (f"{name}.mp4" if plain.lower() in self.clashes and name != plain else plain)


@dataclass(frozen=True, slots=True)
class _SmallClip:
    """A clip that was written, and the note of its decoding."""

    name: str
    note: str


def downsample(
    source: str | Path,
    target: str | Path,
    *,
    size_px: tuple[int, int] = SIZES_PX["nano"],
    frames: int = 30,
    frames_per_second: float = 2.0,
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> DownsampleRun:
    """Make a small colour clip of every video below `source`, under the same name with .mp4, below `target`.

    Each holds the frames on display every 1 / `frames_per_second` seconds from the start, `frames` of them or
    as many as the video lasts. `size_px` is (height, width), both even. The same call again goes on where it
    stopped; a changed video is made anew. Raises InputError where the sizes are odd, `target` cannot be written, lies
    inside `source` or around it, or holds anything but clips made from this source in this way; videos that cannot be
    read are in the result's `failures`.

    >>> downsample("footage", "small", size_px=(15, 15))
    Traceback (most recent call last):
    primatrix.errors.InputError: size: got 15x15, wanted even height and width, as H.264 does
    """
    if size_px[0] % 2 or size_px[1] % 2:
        raise InputError(f"size: got {size_px[0]}x{size_px[1]}, wanted even height and width, as H.264 does")
    _refuse_overlap(Path(source), Path(target))
    found = search_folder(source)
    videos = found.videos
    recipe = _Recipe(Path(target), size_px, frames, frames_per_second, _find_clashes(videos))
    _claim_target(recipe, Path(source))
    pending = [video for video in videos if not _is_made(recipe, video)]
    options = PoolOptions() if workers is None else PoolOptions(workers=workers)
    failures, damaged = [], []
    with (
        hold_alone(recipe.target / LOCK_NAME, doing="downsample"),
        FilePool(partial(_make_clip, recipe), options=options) as pool,
        show_progress(on_progress) as tell,
    ):
        for done, result in enumerate(pool.map(pending), start=1):
            if isinstance(result, Failure):
                failures.append(_stop_if_full(recipe, result))
            elif result.note:
                damaged.append(result.name)
            if tell:
                message = f"{len(failures)} failed" if failures else ""
                tell(Progress("downsample", done, len(pending), message=message))
    return DownsampleRun(
        written=len(pending) - len(failures),
        present=len(videos) - len(pending),
        partial=tuple(damaged),
        failures=(*failures, *found.failures),
        target=recipe.target,
        failures_path=write_failures((*failures, *found.failures), recipe.target / "failures.csv"),
    )


def _make_clip(recipe: _Recipe, video: Video) -> _SmallClip:
    """Decode one video and write its small clip, which takes the video's time of change: its mark of done."""
    height_px, width_px = recipe.size_px
    spec = ClipSpec(height_px=height_px, width_px=width_px, colour="rgb")
    clip = decode_clip(video.path, spec, name=video.name, choose=partial(_choose_frames, recipe))
    output = recipe.output_of(video.name)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_clip(output, clip.frames, frames_per_second=recipe.frames_per_second)
        os.utime(output, ns=(video.mtime_ns, video.mtime_ns))
    except OSError as error:
        raise DecodeError(error.strerror or str(error), stage="write") from error
    return _SmallClip(video.name, clip.note)


def _stop_if_full(recipe: _Recipe, failure: Failure) -> Failure:
    """The failure, unless it lies with the target: then no other video would fare better."""
    if failure.stage == "write":
        raise InputError(
            f"{recipe.target}: cannot be written: {failure.reason}; mend that and run the same command again"
        )
    return failure


def _choose_frames(recipe: _Recipe, pts_seconds: Sequence[float], keyframes: Sequence[int]) -> list[int]:
    """The frame on display at every step of time, for as long as the video lasts."""
    del keyframes
    steps = [(seconds - pts_seconds[0]) * recipe.frames_per_second for seconds in pts_seconds]
    lasts = len(steps) and min(recipe.frames, int(steps[-1] + 1e-6) + 1)
    return sample_per_second(steps, lasts)


def _is_made(recipe: _Recipe, video: Video) -> bool:
    output = recipe.output_of(video.name)
    return output.exists() and output.stat().st_mtime_ns == video.mtime_ns


def _plain_output(name: str) -> str:
    return PurePosixPath(name).with_suffix(".mp4").as_posix()


def _find_clashes(videos: Sequence[Video]) -> frozenset[str]:
    """Plain outputs that several videos would share, in lower case: some disks know no two cases of a name."""
    times = Counter(_plain_output(video.name).lower() for video in videos)
    return frozenset(output for output, count in times.items() if count > 1)


def _refuse_overlap(source: Path, target: Path) -> None:
    """Small clips among the raw ones would be footage at the next run; raw ones among the small would be replaced."""
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise InputError(
            f"{target}: lies inside {source} or around it, wanted a place of its own; name another"
        )


def _claim_target(recipe: _Recipe, source: Path) -> None:
    """Write down what the clips of the folder are made from and how; refuse a folder of anything else."""
    wanted = {
        "source": str(source.resolve()),
        "size_px": list(recipe.size_px),
        "frames": recipe.frames,
        "frames_per_second": recipe.frames_per_second,
    }
    manifest = recipe.target / MANIFEST_NAME
    try:
        recipe.target.mkdir(parents=True, exist_ok=True)
        if not manifest.exists():
            if any(recipe.target.iterdir()):
                raise InputError(f"{recipe.target}: holds files that downsample did not make, wanted an empty or new "
                                 "folder; choose another target")  # fmt: skip
            write_json(manifest, wanted)
    except OSError as error:
        raise InputError(f"{recipe.target}: cannot be written: {error.strerror}") from error
    try:
        found = read_json(manifest)
    except InputError as error:
        raise InputError(
            f"{error} as downsample wrote it; use another target folder, or delete this one"
        ) from error
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    if differing:
        got, want = ({name: values.get(name) for name in differing} for values in (found, wanted))
        raise InputError(f"{manifest}: got clips made with {json.dumps(got)}, wanted {json.dumps(want)}; "
                         "use another target folder")  # fmt: skip
