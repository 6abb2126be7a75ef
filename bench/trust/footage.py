"""From a folder of raw footage to every answer: 3 simulated sites x 200 clips.

    python bench/trust/footage.py MODEL [--clips 200] [--schemas ../shared/data/camtrap_dp_schemas]
        [--megadetector PYTHON]

Draws a larger survey's tables, takes the first 200 clips in time at each of its three cameras and draws those as raw
footage of 202x360 pixels, 15 s at 12 frames/s; five files are then damaged, one in each way. With MODEL, a folder that
`primatrix train` wrote: `predict` of the whole folder (times from a table, sites from the paths, --per-frame), `score`,
`neighbours`, every export with its own checks and outside validators (PYTHON: see validators.py), and `report`.
What is there already is not done again: killed at any moment, the same command goes on. MODEL is copied, since
`neighbours` writes into a model's folder. Prints what each command says, then the figures; those also as JSON.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk import write_whole
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.progress import ProgressDisplay
from primatrix.results import Results
from primatrix.simulation import (
    SimulationSpec,
    Survey,
    claim_folder,
    draw_all,
    draw_survey,
    list_drawings,
)
from validators import judge

WORK = Path(__file__).resolve().parents[1] / "work" / "footage"
SITES, SEED, SURVEY_CLIPS = 3, 20_261_125, 4000  # cameras of a seed of its own, so new to any model
SPEC = SimulationSpec(train_clips=SURVEY_CLIPS, test_clips=0, seed=SEED, sites=SITES, label_noise=0.0, odd_length=0.0,
                      raw_height_px=202, raw_width_px=360, raw_frames_per_second=12)  # fmt: skip
DAMAGED = 5  # one of each kind
TIMEZONE = "Africa/Abidjan"


def choose_rows(survey: Survey, *, clips: int) -> NDArray[np.int64]:
    """The first `clips` rows in time at each site: what a camera left out for a while would hold."""
    counts = np.bincount(survey.site, minlength=SITES)
    if counts.min() < clips:
        raise SystemExit(f"the survey has {counts.tolist()} clips at its sites, wanted {clips} at each")
    in_time = np.lexsort((survey.time, survey.site))
    return np.concatenate([in_time[survey.site[in_time] == site][:clips] for site in range(SITES)])


def draw_footage(work: Path, *, clips: int, workers: int) -> Path:
    """The folder of footage, SITE/NAME.mp4, with labels.csv and times.csv beside it."""
    survey = draw_survey(SPEC)
    rows, drawn, footage = choose_rows(survey, clips=clips), work / "drawn", work / f"footage{clips}"
    claim_folder(drawn, SPEC, ["raw"])
    step = len(rows) // DAMAGED
    damage_of = {
        survey.names[row]: kind for kind, row in enumerate(rows[step // 2 :: step][:DAMAGED], start=1)
    }
    wanted = {survey.names[row] for row in rows}
    drawings = [
        replace(one, damage=damage_of.get(one.name, 0))
        for one in list_drawings(drawn, survey, "raw") if one.name in wanted
    ]  # fmt: skip
    with ProgressDisplay() as display:
        draw_all(drawings, SPEC, workers=workers, on_progress=display.on_progress)
    paths = [f"site{survey.site[row]}/{survey.names[row]}" for row in rows]
    for path in paths:
        (footage / path).parent.mkdir(parents=True, exist_ok=True)
        if not (footage / path).exists():
            os.link(drawn / "raw" / Path(path).name, footage / path)
    labels = pd.DataFrame(survey.shown[rows].astype(int), index=paths, columns=list(BENCHMARK_SPECIES))
    labels.to_csv(work / "labels.csv", index_label="filename")
    times = np.datetime_as_string(survey.time[rows], unit="s")
    table = pd.DataFrame(
        {"filepath": paths, "site": [path.split("/")[0] for path in paths], "recorded_at": times}
    )
    table.to_csv(work / "places.csv", index=False)
    table.drop(columns="site").to_csv(work / "times.csv", index=False)
    return footage


def run(*words: object, may_refuse: bool = False) -> tuple[str, float]:
    """What a command of primatrix prints, and its seconds; its progress goes to the terminal."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "primatrix", *map(str, words)]
    done = subprocess.run(command, stdout=-1, stderr=-1 if may_refuse else None, text=True)
    said = (done.stdout + (done.stderr or "")).strip()
    if done.returncode not in (0, 1, 2 * may_refuse):  # 1: some videos could not be read, as intended
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    print(f"\n$ primatrix {' '.join(map(str, words))}\n{said}", flush=True)
    return said, time.perf_counter() - began


def copy_model(model: Path, work: Path) -> Path:
    """A copy without what was learned of neighbours before, named by what makes it this model."""
    digest = hashlib.sha256((model / "model.json").read_bytes()).hexdigest()[:8]
    copy, part = work / f"model-{digest}", work / f".model-{digest}"
    if not copy.exists():
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(model, part, ignore=shutil.ignore_patterns("neighbours.json"))
        part.rename(copy)
    return copy


def answer(work: Path, footage: Path, model: Path, *, workers: int) -> dict[str, object]:
    """Predict, score, look at neighbours, report; figures."""
    out = work / f"results-{footage.name}-{model.name}"
    figures_path = out.with_suffix(".json")
    figures: dict[str, object] = json.loads(figures_path.read_text()) if figures_path.is_file() else {}
    if not (out / "run.json").is_file():
        _, figures["predict_seconds"] = run(
            "predict", footage, "--model", model, "--out", out, "--site-from", "{site}/{file}", "--deployments",
            work / "times.csv", "--timezone", TIMEZONE, "--per-frame", "--no-neighbours", "--workers", workers,
        )  # fmt: skip
        keep_figures(figures, figures_path)  # seconds of a predict that was killed are of its last part
    scores, _ = run("score", work / "labels.csv", out / "predictions.csv")
    figures["score"] = scores.partition("aggregated log loss")[2]
    figures["neighbours"], _ = run(
        "neighbours", work / "labels.csv", out / "predictions.csv", "--deployments", work / "places.csv",
        "--model", model, may_refuse=True,
    )  # fmt: skip
    report = out.with_suffix(".html")
    if not report.is_file():
        figures["report"], figures["report_seconds"] = run(
            "report", out, "--labels", work / "labels.csv", "--model", model, "--out", report, "--workers", workers
        )  # fmt: skip
    keep_figures(figures, figures_path)
    return {**figures, "results": str(out), "figures": str(figures_path)}


def keep_figures(figures: dict[str, object], path: Path) -> None:
    """As JSON, whole."""
    write_whole(path, lambda temporary: temporary.write_text(json.dumps(figures, indent=1), encoding="utf-8"))


def describe(results: Results) -> dict[str, object]:
    """What stands in the tables."""
    clips, status = results.clips, results.predictions["status"].value_counts()
    return {
        "clips_per_site": clips["site"].value_counts().to_dict(),
        "status": status.to_dict(),
        "hours": round(clips["duration_seconds"].sum() / 3600, 2),
        "with_time": int((clips["recorded_at"] != "").sum()),
        "events": int(clips["event"].nunique()),
        "sightings": len(results.sightings),
        "rows_of_frames": 0 if results.frames is None else len(results.frames),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=int, default=200, help="at each of the three sites")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--schemas", type=Path)
    parser.add_argument("--megadetector", help="Python of an environment with the megadetector package")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    footage = draw_footage(options.work, clips=options.clips, workers=options.workers)
    model = copy_model(options.model, options.work)
    figures = answer(options.work, footage, model, workers=options.workers)
    results = Results.read(str(figures["results"]))
    print("\nexports, each read again and judged:")
    figures["export_problems"] = judge(results, schemas=options.schemas, megadetector=options.megadetector)
    figures |= describe(results)
    print("\n" + "\n".join(f"{name}: {value}" for name, value in figures.items()))
    keep_figures(figures, Path(str(figures["figures"])))


if __name__ == "__main__":
    main()
