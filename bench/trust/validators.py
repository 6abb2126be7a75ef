"""Every export, judged by outside validators: frictionless with the published schemas, MegaDetector's own tools.

    python bench/trust/validators.py [RESULTS ...] --schemas ../shared/data/camtrap_dp_schemas --megadetector PYTHON

RESULTS are folders that `primatrix predict` wrote; without any, results of 10,000 clips are made from a seed. PYTHON is
that of an environment of its own, since the package wants much: `pip install --no-deps megadetector`, then tqdm numpy
opencv-python-headless pandas pillow requests jsonpickle humanfriendly pytest. Coordinates and project are made up, for
the validators only.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.interchange import (
    ExportOptions,
    ask_frictionless,
    check_export,
    export_results,
    find_all,
    read_export,
)
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.results import Results, complete_facts

OUTS = {"csv": "wide.csv", "long-csv": "long.csv", "megadetector": "md.json", "speciesnet": "speciesnet.json",
        "camtrap-dp": "package"}  # fmt: skip
JUDGE = """
import json, sys
from megadetector.postprocessing.validate_batch_results import validate_batch_results
from megadetector.utils.wi_taxonomy_utils import (
    generate_md_results_from_predictions_json, is_valid_prediction_string, validate_predictions_file)
found = validate_batch_results(sys.argv[1])["validation_results"]
lines = [*found["errors"], *found["warnings"]]
answers = validate_predictions_file(sys.argv[2], verbose=False)
labels = {label for image in answers["predictions"] for label in image.get("classifications", {}).get("classes", [])}
lines += [f"label {label}" for label in labels if not is_valid_prediction_string(label)]
converted = generate_md_results_from_predictions_json(sys.argv[2])
again = validate_batch_results({**converted, "images": [
    {"frame_rate": 1, "frames_processed": [], **image, **({} if image["detections"] is None else
     {"detections": [{**found, "conf": float(found["conf"]), "frame_number": 0} for found in image["detections"]]})}
    for image in converted["images"]]})["validation_results"]
print(json.dumps(lines + again["errors"]))
"""


def make_results(clips: int, *, seed: int = 5) -> Results:
    """Results of a season: eight sites, one clip in a hundred broken, stretches of whoever is likely."""
    rng = np.random.default_rng(seed)
    species = list(BENCHMARK_SPECIES)
    names = [f"site{i % 8}/100MEDIA/IMG_{i:05d}.MP4" for i in range(clips)]
    broken = rng.random(clips) < 0.01
    chances = rng.beta(0.1, 3, (clips, len(species))).astype(np.float32)
    chances[broken] = np.nan
    table = pd.DataFrame(chances, columns=species)
    table.insert(0, "filepath", names)
    table.insert(1, "status", np.where(broken, "failed", "ok"))
    rows = []
    for row, column in np.argwhere(chances >= 0.4):
        if species[column] != "blank":
            start, best, end = np.sort(rng.random(3) * 15)
            rows.append((names[row], species[column], start, end, best, chances[row, column]))
    times = pd.date_range("2026-01-01", periods=clips, freq="17min").strftime("%Y-%m-%dT%H:%M:%S")
    return Results(
        table,
        pd.DataFrame([(name, "open", "moov atom not found") for name in np.array(names)[broken]],
                     columns=["filename", "stage", "reason"]),
        pd.DataFrame({
            "filepath": names, "duration_seconds": np.where(broken, np.nan, 15.0),
            "frame_rate": np.where(broken, np.nan, 24.0), "frame_count": pd.array([360] * clips, dtype="Int64"),
            "width_px": 720, "height_px": 404, "codec": "h264", "recorded_at": times, "time_source": "name",
            "time_warning": "", "site": [name.split("/")[0] for name in names], "deployment": "", "event": "",
            "note": ""}),
        pd.DataFrame(rows, columns=["filepath", "species", "start_seconds", "end_seconds", "best_seconds",
                                    "probability"]),
        None,
        complete_facts({"species": species, "model": "made up", "thresholds": dict.fromkeys(species, 0.4)}),
    )  # fmt: skip


def make_options(results: Results, folder: Path) -> ExportOptions:
    """Made-up coordinates of every site and a made-up project."""
    clips = results.clips
    places = sorted(set(clips["deployment"].where(clips["deployment"] != "", clips["site"])) - {""}) or [
        "camera"
    ]
    pd.DataFrame({"deploymentID": places, "latitude": 0.0, "longitude": 0.0}).to_csv(
        folder / "d.csv", index=False
    )
    project = {"title": "made up", "samplingDesign": "opportunistic", "captureMethod": ["activityDetection"],
               "individualAnimals": False, "contributors": [{"title": "nobody", "role": "contact"}]}  # fmt: skip
    (folder / "p.json").write_text(json.dumps(project))
    return ExportOptions(
        deployments=folder / "d.csv", project=folder / "p.json", timezone="UTC", skip_undated=True
    )


def judge(results: Results, *, schemas: Path | None, megadetector: str | None) -> int:
    """Write every format, ask every judge, print a line each; gives the number of problems."""
    problems = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = make_options(results, folder)
        for to, out in OUTS.items():
            began = time.perf_counter()
            run = export_results(results, to, folder / out, options=options)
            written = time.perf_counter()
            found = {"own checks": check_export(run.path, outside=False)}
            checked = time.perf_counter()
            if to == "camtrap-dp":
                found["frictionless"] = ask_frictionless(run.path, schemas=schemas)
            print(f"{to}: {run.clips} clips ({len(run.left_out)} undated left out) written in {written - began:.1f} s, "
                  f"checked in {checked - written:.1f} s")  # fmt: skip
            problems += report(found) + compare(results, to, run.path, run.left_out)
        if megadetector:
            words = [
                megadetector,
                "-c",
                JUDGE,
                str(folder / OUTS["megadetector"]),
                str(folder / OUTS["speciesnet"]),
            ]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            lines = json.loads(done.stdout.strip().splitlines()[-1])
            problems += report({"megadetector's validators of both JSON files": lines})
    return problems


def report(found: dict[str, list[str]]) -> int:
    for name, lines in found.items():
        print(f"  {name}: {len(lines)} problems" + "".join(f"\n    {line}" for line in lines[:5]))
    return sum(map(len, found.values()))


def compare(results: Results, to: str, path: Path, left_out: tuple[str, ...]) -> int:
    """Read the export again and count what differs: stretches, or probabilities where it has none."""
    reading = read_export(path)
    if to in ("csv", "speciesnet"):
        wrong = int(
            (reading.probabilities.fillna(-1).to_numpy() != results.probabilities.fillna(-1).to_numpy()).sum()
        )
    else:
        wanted = [
            (finding.filepath, seen.species, seen.start_seconds, seen.end_seconds, np.float32(seen.probability))
            for finding in find_all(results) for seen in finding.sightings if finding.filepath not in left_out
        ]  # fmt: skip
        columns = ["filepath", "species", "start_seconds", "end_seconds", "probability"]
        wrong = len(set(wanted) ^ set(reading.sightings[columns].itertuples(index=False, name=None)))
    print(f"  read again: {wrong} differences")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="*")
    parser.add_argument("--schemas", type=Path)
    parser.add_argument("--megadetector", help="Python of an environment with the megadetector package")
    options = parser.parse_args()
    problems = 0
    for folder in options.results or [None]:
        print(f"\n{folder or '10,000 clips from a seed'}")
        results = Results.read(folder) if folder else make_results(10_000)
        problems += judge(results, schemas=options.schemas, megadetector=options.megadetector)
    print(f"\n{problems} problems")


if __name__ == "__main__":
    main()
