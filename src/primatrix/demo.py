"""The benchmark's whole job on simulated footage, small enough for a coffee break."""

from dataclasses import dataclass
from pathlib import Path

from primatrix.data import Dataset
from primatrix.disk import write_failures
from primatrix.models import build_model, load_model
from primatrix.progress import ShowProgress, show_progress
from primatrix.simulation import SimulationSpec, simulate
from primatrix.tagging import predict_to_file
from primatrix.training import train
from primatrix.trust import Scores, score_files

__all__ = ["DemoResult", "run_demo"]

TRAIN_CLIPS, TEST_CLIPS, BROKEN_FILES = 6000, 1000, 5
EPOCHS, STEPS, VALIDATION_STEPS, BATCH_SIZE = 4, 150, 20, 32
# Unscaled pixels, as the benchmark fed them, learn next to nothing in so short a training (bench/learn/lrcn.md).
INPUT_SCALE = 1 / 255


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """What the demo wrote and how well its model did."""

    folder: Path
    scores: Scores
    failed: int

    def summary(self) -> str:
        """Score beside the constant's, and where everything lies."""
        places = {
            "clips and labels": "data", "trained model": "model", "submission": "submission.csv",
            "clips that failed": "failures.csv",
        }  # fmt: skip
        lines = [f"  {what:<18} {self.folder / where}" for what, where in places.items()]
        return "\n".join([
            self.scores.summary(), "",
            f"{self.failed} clips could not be read, as intended: {BROKEN_FILES} files were broken on purpose",
            "what was written:", *lines,
        ])  # fmt: skip


def run_demo(folder: str | Path, *, seed: int = 0, on_progress: ShowProgress = "auto") -> DemoResult:
    """Simulate a small benchmark below `folder`, pack, train LRCN, predict every test clip, write and score.

    The same call again goes on where an interrupted one stopped.
    """
    folder = Path(folder)
    data_folder = folder / "data"
    spec = SimulationSpec(train_clips=TRAIN_CLIPS, test_clips=TEST_CLIPS, seed=seed, broken=BROKEN_FILES)
    with show_progress(on_progress) as tell:
        simulate(data_folder, spec=spec, on_progress=tell)
        data = Dataset(data_folder, "nano", val_size=0.15, batch_size=BATCH_SIZE, seed=seed)
        data.pack(on_progress=tell)
        model = build_model(
            "lrcn", species=data.class_names, spec=data.spec, seed=seed, input_scale=INPUT_SCALE
        )
        train(model, data, epochs=EPOCHS, steps_per_epoch=STEPS, validation_steps=VALIDATION_STEPS,
              schedule="cosine", seed=seed, folder=folder / "model", on_progress=tell)  # fmt: skip
        predict_to_file(load_model(folder / "model"), data, folder / "submission.csv", on_progress=tell)
    write_failures(data.failures, folder / "failures.csv")  # those met in training too
    data.close()
    scores = score_files(data_folder / "test_labels.csv", folder / "submission.csv",
                         train_labels=data_folder / "train_labels.csv")  # fmt: skip
    return DemoResult(folder, scores, len(data.failures))
