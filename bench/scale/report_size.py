"""Size of and time for the report of a large run: made-up probabilities over links to a few real files.

python bench/scale/report_size.py FOOTAGE --clips 10000
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.report import ReportSpec, write_report
from primatrix.results import Results, complete_facts
from primatrix.video import find_videos

SHARES = {BLANK: 0.6, "duiker": 0.1, "other (primate)": 0.1, "human": 0.08}  # of clips; the others share 0.02
SITES = 30
FAILED = 0.01


def link_clips(source: Path, folder: Path, *, count: int) -> list[str]:
    """Names of `count` links to the videos below a folder, in turn."""
    videos = find_videos(source)
    names = []
    for number in range(count):
        video = videos[number % len(videos)]
        name = f"site{number % SITES:02}/IMG_{number:05}{video.path.suffix}"
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(video.path.resolve())
        names.append(name)
    return names


def make_results(names: list[str], folder: Path, *, seed: int = 0) -> tuple[Results, pd.DataFrame]:
    """Results of a fair model with made-up answers, and labels that agree with its probabilities."""
    rng = np.random.default_rng(seed)
    count, species = len(names), list(BENCHMARK_SPECIES)
    rare = 0.02 / (len(species) - len(SHARES))
    share = np.array([SHARES.get(name, rare) for name in species])
    probabilities = rng.beta(share * 0.5, (1 - share) * 0.5, (count, len(species))).clip(1e-6, 1 - 1e-6)
    truth = rng.random(probabilities.shape) < probabilities
    truth[:, species.index(BLANK)] = ~truth[:, [s != BLANK for s in species]].any(axis=1)
    probabilities[:, species.index(BLANK)] = np.prod(
        1 - np.delete(probabilities, species.index(BLANK), 1), axis=1
    )
    failed = rng.random(count) < FAILED
    table = pd.DataFrame(probabilities.round(6), columns=species)
    table[failed] = np.nan
    predictions = pd.concat(
        [pd.DataFrame({"filepath": names, "status": np.where(failed, "failed", "ok")}), table], axis=1
    )
    failures = pd.DataFrame(
        {
            "filename": np.array(names)[failed],
            "stage": "decode",
            "reason": "made up: none of its pictures can be decoded",
        }
    )
    hour = rng.choice(
        24, count, p=np.array([1, 1, 1, 1, 2, 6, 9, 7, 4, 3, 2, 2, 2, 2, 3, 4, 7, 9, 8, 4, 2, 2, 1, 1]) / 84
    )
    start = (
        pd.Timestamp("2026-03-01")
        + pd.to_timedelta(rng.integers(0, 90, count), unit="D")
        + pd.to_timedelta(hour * 60 + rng.integers(0, 60, count), unit="min")
    )
    clips = pd.DataFrame({
        "filepath": names, "duration_seconds": np.where(failed, np.nan, 15.0), "frame_rate": 24.0, "frame_count": 360,
        "width_px": 720, "height_px": 404, "codec": "h264", "recorded_at": start.strftime("%Y-%m-%dT%H:%M:%S+01:00"),
        "time_source": "container", "time_warning": "", "site": [name.split("/")[0] for name in names],
        "deployment": "", "event": "", "note": "",
    })  # fmt: skip
    rows, columns = np.nonzero((probabilities >= 0.5) & ~failed[:, None] & (np.array(species) != BLANK))
    best = rng.uniform(2, 12, len(rows)).round(2)
    sightings = pd.DataFrame({
        "filepath": np.array(names)[rows], "species": np.array(species)[columns], "start_seconds": best - 1,
        "end_seconds": best + 1, "best_seconds": best, "probability": probabilities[rows, columns].round(6),
    })  # fmt: skip
    facts = complete_facts({"model": "made-up", "folder": str(folder), "species": species})
    labels = pd.DataFrame(truth.astype(int), columns=species, index=pd.Index(names, name="filename"))
    return Results(predictions, failures, clips, sightings, None, facts), labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("footage", type=Path)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("bench/work/report"))
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    out = arguments.out
    names = link_clips(arguments.footage, out / "videos", count=arguments.clips)
    results, labels = make_results(names, out / "videos")
    results.write(out / "results")
    labels.to_csv(out / "labels.csv")
    started = time.perf_counter()
    spec = ReportSpec(labels=out / "labels.csv", workers=arguments.workers)
    run = write_report(out / "results", out / "report.html", spec=spec)
    print(f"{arguments.clips} clips, {run.pictures} filmstrips, {len(run.without)} without: "
          f"{run.size_bytes / 1e6:.2f} MB in {time.perf_counter() - started:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()
