"""LRCN on real footage: clips of fixed cameras it has not seen, and two dozen labelled camera-trap clips.

    python bench/learn/real_files.py [--shared ../shared/data] [--epochs 40]

For each set: train on one part, predict every clip of the folder, unlabelled ones too, and score the part that
was held out, beside the constant class frequencies of the training part. fixed_camera_events holds out two of
its five cameras; camera_trap_clips has 22 labelled clips, of which a random third is held out.
"""

import argparse
import shutil
import time
from contextlib import closing
from pathlib import Path

import pandas as pd

import primatrix as pm
from primatrix.progress import ProgressDisplay
from primatrix.tagging import predict_to_file
from primatrix.trust import score_predictions

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "work" / "real_files"
SETS = {
    "fixed_camera_events": {"held_out_sites": ["rusty_bridge_cam0", "station_outside_cam0"]},
    "camera_trap_clips": {"val_size": 1 / 3},
}


def run_set(name: str, folder: Path, *, epochs: int, scale: float) -> None:
    spec = pm.ClipSpec(frames=15, height_px=16, width_px=16)
    run = WORK / name
    shutil.rmtree(run, ignore_errors=True)
    data = pm.Dataset.from_folder(
        folder, spec, labels=folder / "labels.csv", batch_size=16, store=run / "store", **SETS[name]
    )
    model = pm.build_model("lrcn", species=data.class_names, spec=spec, input_scale=scale)
    began = time.perf_counter()
    with ProgressDisplay() as display, closing(data):
        history = pm.train(model, data, epochs=epochs, folder=run / "model", on_progress=display.on_progress)
        trained = time.perf_counter()
        result = predict_to_file(model, data, run / "predictions.csv", on_progress=display.on_progress)
    held_out = pd.DataFrame(data.y_val)
    scores = score_predictions(held_out, result.table, frequencies=pm.class_frequencies(data.y_train))
    right = (result.table.loc[held_out.index].idxmax(axis=1) == held_out.idxmax(axis=1)).mean()
    print(f"\n{name}: {data.num_samples} clips trained on, {len(held_out)} held out, "
          f"{len(result.table)} predicted ({len(result.failures)} failed, {len(result.partial)} partial), "
          f"input_scale {scale:.4g}, {epochs} epochs")  # fmt: skip
    print(f"train {trained - began:.0f} s (decoding included), predict {result.seconds:.1f} s")
    print(f"training loss {history.epochs[-1].loss:.4f}; held out, most probable class right: {right:.2f}")
    print(scores.summary())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument(
        "--scale", type=float, nargs="*", default=[1.0, 1 / 255], help="pixels are multiplied by it"
    )
    options = parser.parse_args()
    for scale in options.scale:
        for name in SETS:
            run_set(name, options.shared / name, epochs=options.epochs, scale=scale)


if __name__ == "__main__":
    main()
