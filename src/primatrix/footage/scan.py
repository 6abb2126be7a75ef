"""What is on a card: per file its codec, size, rate, true length, time of recording, and whether it can be read."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from primatrix.disk import check_output_file, write_json, write_table
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import Failure, Media, Progress, Video, say_lost
from primatrix.video import FilePool, PoolOptions, VideoFacts, probe_video, search_folder

__all__ = ["SCAN_ENDINGS", "ScanRun", "scan_folder"]

SCAN_ENDINGS = (".csv", ".json")

FACT_COLUMNS = list(VideoFacts.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class ScanRun:
    """The table of a scan: one row per video, `status` ok, partial or failed with `stage` and `reason`.

    A folder that may not be listed has a row, too, its name ending in `/`. `no_videos` counts, by suffix, files that
    are called videos and hold none.
    """

    table: pd.DataFrame
    no_videos: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """How many videos cannot be read."""
        return int((self.table["status"] == "failed").sum())

    def write(self, path: str | Path, *, for_spreadsheet: bool = False) -> Path:
        """Write the table as .csv or .json, by the name's end; `for_spreadsheet` (CSV) with its formulas quoted."""
        path = check_output_file(path, endings=SCAN_ENDINGS)
        if path.suffix.lower() == ".csv":
            return write_table(self.table, path, index=False, for_spreadsheet=for_spreadsheet)
        return write_json(path, json.loads(self.table.to_json(orient="records")))

    def summary(self) -> str:
        """Lines for the terminal: how many of each kind, how long in all, what is wrong."""
        readable = self.table[self.table["status"] != "failed"]
        columns = ("container", "codec", "width_px", "height_px")
        kinds = Counter(zip(*(readable[column] for column in columns), strict=True))
        lost = say_lost(
            self._failed_rows(), int((~self.table["filename"].str.endswith("/")).sum()), unit="videos"
        )
        lines = [lost] if lost else []
        lines += [
            f"{len(self.table)} videos: {len(readable)} readable ({(readable['status'] == 'partial').sum()} of them "
            f"in part), {self.failed} not; {readable['duration_seconds'].sum() / 3600:.2f} h in all"
        ]
        for (container, codec, width, height), count in kinds.most_common():
            lines.append(f"{count:8}  {container} {codec} {int(width)}x{int(height)}")
        for suffix, count in sorted(self.no_videos.items()):
            lines.append(f"{count:8}  named {suffix}, but no video: left out")
        lines += [f"{row.name}: {row.stage}: {row.reason}" for row in self._failed_rows()]
        return "\n".join(lines)

    def _failed_rows(self) -> list[Failure]:
        failed = self.table[self.table["status"] == "failed"]
        columns = (failed["filename"], failed["stage"], failed["reason"])
        return [Failure(*row) for row in zip(*columns, strict=True)]


def scan_folder(
    folder: str | Path,
    *,
    media: Media = "videos",
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> ScanRun:
    """Probe every video (or still, as `media` says) below a folder in worker processes.

    Raises InputError where there is none.

    >>> scan_folder("nowhere")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere: got no such folder, wanted a folder of videos; check the path
    """
    found = search_folder(folder, media=media)
    videos = found.videos
    options = PoolOptions() if workers is None else PoolOptions(workers=workers)
    rows = []
    with FilePool(_probe, options=options) as pool, show_progress(on_progress) as tell:
        for done, (video, facts) in enumerate(zip(videos, pool.map(videos), strict=True), start=1):
            rows.append(_make_row(video, facts))
            if tell:
                tell(Progress("scan", done, len(videos), unit="files"))
    rows += [
        {"filename": f.name, "status": f.status, "stage": f.stage, "reason": f.reason} for f in found.failures
    ]
    columns = ["filename", "status", "size_bytes", *FACT_COLUMNS, "stage", "reason"]
    return ScanRun(pd.DataFrame(rows, columns=columns), found.no_videos)


def _probe(video: Video) -> VideoFacts:
    return probe_video(video.path)


def _make_row(video: Video, facts: VideoFacts | Failure) -> dict[str, object]:
    row: dict[str, object] = {"filename": video.name, "size_bytes": video.size_bytes}
    if isinstance(facts, Failure):
        return {**row, "status": facts.status, "stage": facts.stage, "reason": facts.reason}
    recorded = facts.recorded.isoformat() if facts.recorded else None
    status = "partial" if facts.loss else "ok"
    return {**row, **asdict(facts), "status": status, "recorded": recorded, "reason": facts.loss}
