"""Training: one loop, the same weights from the same seed, taken up again after the last saved step."""

import contextlib
import copy
import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from primatrix.data import Dataset
from primatrix.disk import FACTS, STATE, check_output_folder, hold_alone, refuse_strange_files
from primatrix.errors import ModelError
from primatrix.models import (
    Model,
    choose_processor,
    load_model,
    load_weights,
    predict_batches,
)
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import OnProgress, say_lost
from primatrix.training.answers import judge, keep_split, keep_validation
from primatrix.training.probe import describe_fit, fit_probe, is_fitted
from primatrix.training.recipe import History, TrainingData, TrainSpec, settle
from primatrix.training.run import Run
from primatrix.training.snapshot import keep_calibration
from primatrix.training.streams import open_stream, use_sampling
from primatrix.training.team import gather_team, is_leader

__all__ = ["check_run_folder", "hold_run", "train", "train_one"]

LOCK = "training.lock"  # stays in the folder: a lock file that goes with its holder could be held twice
# What is written beside the model, and what tells that a folder holds results, which have a failures.csv of their own.
WRITTEN = ("failures.csv", "folds.csv", "oof.csv", "split.csv", "validation.csv", "run.json")

logger = logging.getLogger(__name__)


def train(
    model: Model,
    data: TrainingData,
    *,
    spec: TrainSpec | None = None,
    folder: Path | str | None = None,
    on_progress: ShowProgress = "auto",
    **settings: Any,  # Any: fields of TrainSpec, which checks them
) -> History:
    """Train the model in place on binary cross-entropy over all clips and species.

    `settings` are fields of TrainSpec (epochs, steps_per_epoch, ...), changed in `spec` or, without one, in what is
    recommended for the model's architecture (`TrainSpec.for_model`). With a `folder`, the state is saved there
    about once a minute and the model after every epoch; the same call goes on from the last saved step, and on
    a CPU the weights are then bit-equal to those of an undisturbed run. Of a Dataset, the folder also gets split.csv,
    which clips train and which validate, and validation.csv, the model's own probabilities for the latter, for
    `calibrate_model`. The model is left in eval mode.

    Raises InputError for settings that cannot be and a folder in which another run trains, or that cannot be written or
    is another's; ModelError for batches that do not fit the model, a loss that is not finite, or a folder that holds a
    run with other settings.

    >>> import numpy as np
    >>> from primatrix import ClipSpec
    >>> from primatrix.models import build_model
    >>> class Data:
    ...     num_batches, num_val_batches = 2, 1
    ...
    ...     def batches(self):
    ...         while True:
    ...             yield np.zeros((4, 15, 16, 16, 1), np.uint8), np.zeros((4, 2), np.float32)
    ...
    ...     val_batches = batches
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> len(train(model, Data(), epochs=1).epochs)
    1
    """
    spec = settle(spec or TrainSpec.for_model(model.name), settings=settings, data=data)
    with contextlib.ExitStack() as stack:
        tell = stack.enter_context(show_progress(on_progress))
        if spec.dry_run:
            return rehearse(model, data, spec=spec, on_progress=tell)
        gather_team(
            choose_processor(spec.device, precision=spec.precision), size=spec.devices
        )  # then one leads
        stack.enter_context(hold_run(folder))
        history = train_one(model, data, spec=spec, folder=folder, on_progress=tell)
        if folder is not None and is_leader() and isinstance(data, Dataset):
            keep_validation(model, data, folder=Path(folder), spec=spec)
    return history


def train_one(
    model: Model,
    data: TrainingData,
    *,
    spec: TrainSpec,
    folder: Path | str | None,
    on_progress: OnProgress | None,
) -> History:
    """Train with settings that are settled; the folder, where there is one, is held."""
    if is_fitted(data, model):
        return fit_one(model, data, spec=spec, folder=folder, on_progress=on_progress)
    use_sampling(data, spec=spec)
    team = gather_team(choose_processor(spec.device, precision=spec.precision), size=spec.devices)
    logger.info("training %s on %s", model.name, team.processor.description)
    with contextlib.ExitStack() as stack:
        stack.enter_context(model.running_on(team.processor.torch_device, training=True))
        run = Run(model, data, spec=spec, team=team, folder=folder, on_progress=on_progress)
        stack.callback(run.close)
        run.resume()
        if folder is not None and is_leader() and isinstance(data, Dataset):
            keep_split(data, Path(folder))
        while not run.is_finished():
            run.finish_epoch(run.train_epoch())
            run.save_state()
            run.save_model()
        chosen = run.choose_weights()
        if chosen is not None:
            load_weights(model, weights=chosen, source="training")
    model.network.eval()
    run.describe_model()
    if folder is not None and is_leader():
        keep_calibration(model, Path(folder))
        model.save(folder)
    team.wait()
    return tell_history(run, data)


def fit_one(
    model: Model, data: Dataset, *, spec: TrainSpec, folder: Path | str | None, on_progress: OnProgress | None
) -> History:
    """The same for a model that is fitted to all clips at once."""
    processor = choose_processor(spec.device, precision=spec.precision)
    place = None if folder is None else Path(folder)
    fitted = fit_probe(model, data, spec=spec, processor=processor, folder=place, on_progress=on_progress)
    if place is not None:
        keep_split(data, place)
    species, verdict = describe_fit(fitted, data)
    lost = say_lost(data.failures, data.num_tried)
    return History((fitted.scores,), lost, tuple(data.describe_split(in_turn=True)), verdict, species)


def tell_history(run: Run, data: TrainingData) -> History:
    """What came of a run, and of a Dataset's clips: what was lost, how they were split, and what the constant is."""
    epochs = tuple(run.state.epochs)
    if not isinstance(data, Dataset):
        return History(epochs)
    verdict = judge(data, epochs, kept=run.kept, steps=run.validation_steps)
    return History(epochs, say_lost(data.failures, data.num_tried), tuple(data.describe_split()), verdict)


@contextlib.contextmanager
def hold_run(folder: Path | str | None) -> Iterator[None]:
    """A scope in which no other run may train in the folder. InputError where one does, or the folder is another's.

    Of processes that train together the first holds it for all.
    """
    if folder is None or not is_leader():
        yield
        return
    folder = check_run_folder(folder)
    with hold_alone(folder / LOCK, doing="training"):
        yield


def check_run_folder(folder: Path | str) -> Path:
    """The folder as a path; an error where no run can be written there, as beside files of another program."""
    folder = check_output_folder(folder)
    refuse_strange_files(folder, WRITTEN, marks=(LOCK, FACTS, STATE), what="a training run")
    return folder


def rehearse(model: Model, data: TrainingData, *, spec: TrainSpec, on_progress: OnProgress | None) -> History:
    """Two steps, validation, saving, loading and predicting with a copy of the model; nothing is kept."""
    validation_steps = min(1, spec.validation_steps or 0)
    small = dataclasses.replace(
        spec, dry_run=False, epochs=1, steps_per_epoch=2, validation_steps=validation_steps, checkpoint_steps=1,
        patience=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="primatrix-") as folder:
        history = train(copy.deepcopy(model), data, spec=small, folder=folder, on_progress=on_progress)
        if not is_leader():
            return history
        loaded = load_model(folder)
        clips = next(open_stream(data, "batches", start=0))[0]
        batches = [np.asarray(clips)]
        for probabilities in predict_batches(loaded, batches, device=spec.device, precision=spec.precision):
            if not np.isfinite(probabilities).all():
                raise ModelError("dry run: got probabilities that are not finite; lower learning_rate")
    return history
