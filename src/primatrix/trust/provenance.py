"""Whether probabilities are what they are taken for: this model's own, for clips it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

from primatrix.disk import NAME_COLUMNS, digest_weights, read_facts, read_table
from primatrix.errors import InputError
from primatrix.results import Origin, read_origin
from primatrix.trust.training_clips import read_training_clips

__all__ = ["find_trained", "refuse_others_answers", "refuse_trained"]


def refuse_others_answers(origin: Origin | None, path: Path | str, *, model: Path | str) -> None:
    """InputError where the table of probabilities at `path` comes from another model than that in the folder `model`.

    A table that does not say where it comes from (`origin` None) is taken for what it is said to be.
    """
    if origin is None or not origin.digest:
        return
    own = digest_weights(model)
    if origin.digest != own:
        raise InputError(f"{path}: made by another model ({origin.model}, {origin.digest[:8]}) than {model} "
                         f"({own[:8]}); wanted this one's answers: predict with it")  # fmt: skip


def refuse_trained(
    path: Path | str, clips: Sequence[str], *, model: Path | str, out_of_fold: bool = False
) -> None:
    """InputError where the model in the folder `model` was trained on some of `clips` of the table at `path`."""
    origin = read_origin(path)
    trained = find_trained(path, clips, model=model, out_of_fold=out_of_fold)
    if trained:
        by_name = origin is None or not origin.files.get(trained[0])
        hint = " by their names (predict into a folder, which keeps what the files are)" * by_name
        raise InputError(f"{path}: {model} was trained on {len(trained)} of these {len(clips)} labelled clips"
                         f"{hint}, the first {trained[0]}; wanted clips it has not seen, as in its validation.csv, "
                         "or answers out of fold, as in oof.csv (with `calibrate --source out-of-fold`)")  # fmt: skip


def find_trained(
    path: Path | str, clips: Sequence[str], *, model: Path | str, out_of_fold: bool = False
) -> list[str]:
    """Those of `clips` in the table of probabilities at `path` that the model was trained on, as far as it knows.

    Out of fold, each clip is held against the training clips of the members that answer for its fold; answers of
    models that are not here are taken for what they are said to be.
    """
    model, origin = Path(model), read_origin(path)
    files = origin.files if origin else {}
    members: list[list[str]] = read_facts(model).get("members") or []
    table = read_table(Path(path)) if out_of_fold else None
    if table is None or (origin and not origin.out_of_fold):
        return read_training_clips(model).find(clips, files=files)
    if not members or "fold" not in table.columns:
        return []
    names = next(name for name in NAME_COLUMNS if name in table.columns)
    folds = dict(zip(table[names].astype(str), table["fold"].tolist(), strict=True))
    trained = {
        fold: [
            read_training_clips(model / family[int(fold)]) for family in members if 0 <= fold < len(family)
        ]
        for fold in set(folds.values())
    }
    return [
        name for name in clips
        if name in folds and any(one.find([name], files=files) for one in trained[folds[name]])
    ]  # fmt: skip
