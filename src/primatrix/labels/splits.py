"""Which labelled clips train and which validate, once or fold by fold."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.labels.table import Labels, count_sites, number_units

__all__ = [
    "choose_fitted",
    "choose_scored",
    "choose_trained",
    "describe_folds",
    "describe_split",
    "split_clips",
    "split_folds",
    "split_labels",
    "split_sites",
]

_log = logging.getLogger(__name__)

FEW_CLIPS = 10  # of a species: below that little is learned of it, and nothing can be promised
MOST_NAMED = 12


def split_clips(
    table: pd.DataFrame, *, val_size: float = 0.3, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a label table at random into training and validation, as the benchmark does.

    One positive of every species goes to validation first (where there is one), then clips are drawn
    uniformly until validation holds `val_size` of all rows. Both parts keep the table's order. A species of one clip is
    not trained on: `split_labels` sees to that.

    >>> table = pd.DataFrame({"hog": [1, 0, 0, 0], "lion": [0, 1, 0, 0]}, index=list("abcd"))
    >>> train, val = split_clips(table, val_size=0.5)
    >>> sorted(val.index)
    ['a', 'b']
    """
    in_val = _draw_clips(table, val_size=val_size, seed=seed)
    if in_val.all() or not in_val.any():
        raise InputError(
            f"{len(table)} labelled clips with val_size {val_size} leave one part empty; label more clips"
        )
    return table[~in_val], table[in_val]


def _draw_clips(table: pd.DataFrame, *, val_size: float, seed: int) -> NDArray[np.bool_]:
    """Which clips (N,) validate, as the benchmark draws them."""
    if not 0 < val_size < 1:
        raise InputError(f"val_size: got {val_size}, wanted a share above 0 and below 1")
    clips = len(table)
    wanted = round(clips * val_size)
    rng = np.random.default_rng(seed)
    in_val = np.zeros(clips, dtype=bool)
    for column in table.to_numpy().T:
        positives = np.flatnonzero(column)
        if len(positives) and not in_val[positives].any():
            in_val[rng.choice(positives)] = True
    missing = wanted - int(in_val.sum())
    if missing > 0:
        in_val[rng.choice(np.flatnonzero(~in_val), size=missing, replace=False)] = True
    return in_val


def split_sites(labels: Labels, *, held_out: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split so that the clips of the `held_out` sites validate and all others train, but those of part holdout."""
    if labels.parts is not None and (labels.parts == "val").any():
        raise InputError(f"got sites to hold out ({', '.join(held_out)}) and labels whose column `split` says which "
                         "clips validate; wanted one of both: leave out --held-out-sites, or the column")  # fmt: skip
    labels = choose_trained(labels)
    if labels.sites is None:
        raise InputError("no site is known for any clip; wanted a `site` column in the label file")
    unknown = sorted(set(held_out) - set(labels.sites))
    if unknown:
        raise InputError(
            f"sites {', '.join(unknown)} have no clip; got {', '.join(sorted(set(labels.sites)))}"
        )
    in_val = labels.sites.isin(list(held_out)).to_numpy()
    if in_val.all() or not in_val.any():
        raise InputError(f"holding out {', '.join(held_out)} leaves one part empty; wanted sites in both")
    return labels.table[~in_val], labels.table[in_val]


def split_labels(
    labels: Labels, *, val_size: float = 0.3, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into training and validation so that every species is trained on.

    Where the labels say what clips are for, train and val are what they say and holdout is in neither part; of labels
    without val all but holdout is split.
    Where two sites or more are known, whole sites validate, for clips of one site are alike, and a model validated on
    sites it has seen looks better than it is: one of 1 / `val_size` folds (see `split_folds`), less the sites without
    which a species would not be trained on. Without sites, or where no site can be spared, clips are drawn one by one
    as `split_clips` does, less the last clip of each species. Where no clip can be spared none validates, nor with a
    `val_size` of 0.

    >>> table = pd.DataFrame({"hog": [1, 0, 1, 0]}, index=list("abcd"))
    >>> sites = pd.Series(["north", "north", "south", "south"], index=table.index)
    >>> [part.index.tolist() for part in split_labels(Labels(table, sites), val_size=0.5)]
    [['c', 'd'], ['a', 'b']]
    >>> [part.index.tolist() for part in split_labels(Labels(pd.DataFrame({"hog": [1]}, index=["a"])))]
    [['a'], []]
    """
    told = _split_told(labels)
    if told:
        return told
    labels = choose_trained(labels)
    if not val_size:
        return labels.table, labels.table[:0]
    table, in_val = labels.table, _draw_clips(labels.table, val_size=val_size, seed=seed)
    in_val = _give_back(table, in_val, units=np.arange(len(table)))
    if count_sites(table.index, labels.sites) >= 2:
        by_site = _draw_sites(labels, val_size=val_size, seed=seed)
        in_val = by_site if by_site.any() else in_val
    return table[~in_val], table[in_val]


def _draw_sites(labels: Labels, *, val_size: float, seed: int) -> NDArray[np.bool_]:
    """Which clips (N,) validate where whole sites do: none where every site is needed to train on."""
    table, units = labels.table, number_units(labels.table.index, labels.sites)
    folds = min(len(np.unique(units)), max(2, round(1 / val_size)))
    fold = split_folds(table, sites=labels.sites, folds=folds, seed=seed).to_numpy()
    trained = [int((table[fold != held] > 0).any().sum()) for held in range(folds)]
    # The folds that leave most species come first; one that must give back all its sites is of no use.
    for held in np.argsort([-count for count in trained], kind="stable"):
        in_val = _give_back(table, fold == held, units=units)
        if in_val.any():
            return in_val
    return np.zeros(len(table), dtype=bool)


def _give_back(
    table: pd.DataFrame, in_val: NDArray[np.bool_], *, units: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The same without the units (sites, or clips) that hold what would not be trained on, the smallest of them."""
    shown, in_val = table.to_numpy() > 0, in_val.copy()
    sizes = np.bincount(units)
    for column in shown.T:
        if column.any() and not (column & ~in_val).any():
            holding = np.unique(units[column])
            in_val[units == holding[np.argmin(sizes[holding])]] = False
    return in_val


def describe_split(
    train: pd.DataFrame, val: pd.DataFrame, *, sites: "pd.Series[str] | None" = None, in_turn: bool = False
) -> list[str]:
    """Lines for people: clips, species and sites of both sides, and what is too little to learn from or to judge by.

    `in_turn`: where none validate, clips trained on are left out in turn.

    >>> train = pd.DataFrame({"hog": [1] * 20, "lion": [0] * 19 + [1]}, index=[f"{i}.mp4" for i in range(20)])
    >>> val = pd.DataFrame({"hog": [1, 1], "lion": [0, 0]}, index=["a.mp4", "b.mp4"])
    >>> print("\\n".join(describe_split(train, val)))
    training on 20 clips of 2 species, validating on 2 clips of 1 species
    fewer than 10 clips, too few to learn much of: lion 1
    """
    counts = (train.sum() + val.sum()).astype(int)
    judged = f"validating on {_describe_side(val, sites)}"
    if in_turn and not len(val):
        units = "sites" if count_sites(train.index, sites) >= 2 else "clips"
        judged = f"{units} left out in turn will tell how good the model is"
    sides = f"training on {_describe_side(train, sites)}, {judged}"
    lines = [sides, *_describe_few(counts)]
    untrained = counts.index[(counts > 0) & ~(train > 0).any()]
    if len(untrained):
        lines.append(f"not trained on, for all their clips validate: {', '.join(map(str, untrained))}")
    if not len(val) and not in_turn:
        lines.append(
            "no clip validates, for each is needed to train on: nothing will tell how good the model is"
        )
    elif shared := _list_sites(train, sites) & _list_sites(val, sites):
        both = f"clips of {len(shared)} site{'s' * (len(shared) > 1)} are on both sides"
        lines.append(f"{both}: at other sites the model will do worse than here")
    return lines


def describe_folds(table: pd.DataFrame, *, sites: "pd.Series[str] | None" = None, folds: int) -> list[str]:
    """Lines for people: how many clips of what are in the folds, and what is too little to learn from.

    >>> describe_folds(pd.DataFrame({"hog": [1] * 20}), folds=5)
    ['5 folds of 20 clips of 1 species']
    """
    return [f"{folds} folds of {_describe_side(table, sites)}", *_describe_few(table.sum().astype(int))]


def _describe_few(counts: "pd.Series[int]") -> list[str]:
    few = counts[counts < FEW_CLIPS].sort_values(kind="stable")
    named = [f"{name} {count}" for name, count in few.items()]
    more = f" and {len(named) - MOST_NAMED} more" * (len(named) > MOST_NAMED)
    text = f"fewer than {FEW_CLIPS} clips, too few to learn much of: {', '.join(named[:MOST_NAMED])}{more}"
    return [text] if named else []


def _describe_side(table: pd.DataFrame, sites: "pd.Series[str] | None") -> str:
    known = len(_list_sites(table, sites))
    clips = f"{len(table):,} clip{'s' * (len(table) != 1)} of {int((table > 0).any().sum())} species"
    return clips + (f" at {known:,} site{'s' * (known != 1)}" if known else "")


def _list_sites(table: pd.DataFrame, sites: "pd.Series[str] | None") -> set[str]:
    return set() if sites is None else set(sites.reindex(table.index).fillna("")) - {""}


def _split_told(labels: Labels) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The parts that labels tell; None where they do not tell what validates."""
    if labels.parts is None or not (labels.parts == "val").any():
        return None
    train, val, rest = (
        labels.table[(labels.parts == part).to_numpy()] for part in ("train", "val", "holdout")
    )
    if train.empty:
        raise InputError(
            f"labels: their column `split` has {len(val)} clips that validate and none that trains; "
            "wanted train beside some"
        )
    _log.info("labels: %d clips train, %d validate, %d do neither", len(train), len(val), len(rest))
    return train, val


def choose_trained(labels: Labels) -> Labels:
    """The clips that a model may learn from, to train or to validate: all but those held out of both.

    >>> parts = pd.Series({"a": "train", "b": "val", "c": "holdout"})
    >>> labels = Labels(pd.DataFrame({"hog": [1.0, 0.0, 1.0]}, index=list("abc")), parts=parts)
    >>> choose_trained(labels).table.index.tolist()
    ['a', 'b']
    """
    return _keep_parts(labels, ("train", "val"), "train a model")


def choose_fitted(labels: Labels, *, out_of_fold: bool) -> Labels:
    """The clips that a model's answers may be fitted on: those that validate, out of fold those that train too.

    Where labels do not tell what validates, all but those held out.

    >>> parts = pd.Series({"a": "train", "b": "val", "c": "holdout"})
    >>> labels = Labels(pd.DataFrame({"hog": [1.0, 0.0, 1.0]}, index=list("abc")), parts=parts)
    >>> choose_fitted(labels, out_of_fold=False).table.index.tolist()
    ['b']
    """
    told = labels.parts is not None and (labels.parts == "val").any()
    return _keep_parts(labels, ("val",) if told and not out_of_fold else ("train", "val"), "be fitted on")


def choose_scored(labels: Labels) -> Labels:
    """The clips that a model is to be measured on: those held out, or, where none is, those that validate.

    >>> parts = pd.Series({"a": "train", "b": "val", "c": "holdout"})
    >>> labels = Labels(pd.DataFrame({"hog": [1.0, 0.0, 1.0]}, index=list("abc")), parts=parts)
    >>> choose_scored(labels).table.index.tolist()
    ['c']
    """
    held = labels.parts is not None and (labels.parts == "holdout").any()
    return _keep_parts(labels, ("holdout",) if held else ("val",), "be measured on")


def _keep_parts(labels: Labels, parts: Sequence[str], purpose: str) -> Labels:
    """The labels of some parts, which a line tells; all of them where the file does not tell parts."""
    if labels.parts is None or labels.parts.isin(parts).all():
        return labels
    kept = labels.table.index[labels.parts.isin(parts).to_numpy()]
    which = " and ".join(parts)
    if not len(kept):
        raise InputError(f"labels: none of {len(labels.table)} clips is of {which} by their column `split`, so none "
                         f"may {purpose}; take the column out to use them all")  # fmt: skip
    _log.warning("labels: %d of %d clips are used, those of %s by the column `split`", len(kept), len(labels.table),
                 which)  # fmt: skip
    return labels.keep(kept)


def split_folds(
    table: pd.DataFrame, *, sites: "pd.Series[str] | None" = None, folds: int = 5, seed: int = 0
) -> "pd.Series[int]":
    """The fold, 0 to folds - 1, of every clip of a label table; a site is never in two folds.

    Each species is spread over the folds as evenly as its clips, or the `sites` they come from, allow. Without
    `sites` (indexed as the table; an empty site is a clip of its own) every clip is dealt by itself. Units that
    hold most of a rare species are dealt first, each to the fold that has least of what it holds (after
    Sechidis, Tsoumakas and Vlahavas, 2011, "On the stratification of multi-label data"; whole sites as in
    scikit-learn's StratifiedGroupKFold). The same seed gives the same folds.

    Raises InputError for fewer than two folds, or fewer sites (without sites: clips) than folds.

    >>> table = pd.DataFrame({"hog": [1, 1, 0, 0], "lion": [0, 0, 1, 1]}, index=list("abcd"))
    >>> fold = split_folds(table, folds=2)
    >>> bool(fold["a"] != fold["b"]), bool(fold["c"] != fold["d"])
    (True, True)
    """
    units = number_units(table.index, sites)
    count = int(units.max(initial=-1)) + 1
    if folds < 2 or count < folds:
        what = f"{len(table)} clips" if sites is None else f"{len(table)} clips of {count} sites"
        raise InputError(f"folds: got {folds} for {what}, wanted 2 or more, and no more than there are")
    values = np.column_stack(
        [table.to_numpy(np.float64), np.ones(len(table))]
    )  # the last column counts clips
    contents = np.zeros((count, values.shape[1]))
    np.add.at(contents, units, values)
    fold_of_unit = _deal_units(contents, folds, np.random.default_rng(seed))
    return pd.Series(fold_of_unit[units], index=table.index, name="fold")


def _deal_units(contents: NDArray[np.float64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each unit; contents (units, species + 1) count its clips per species and in all."""
    totals = np.maximum(contents.sum(axis=0), 1)
    held = np.zeros((folds, contents.shape[1]))
    fold = np.full(len(contents), -1)
    order = rng.permutation(len(contents))
    # Units alike (clips of one species) go round in turn; only what does not come out even is weighed.
    codes = contents[order].astype(np.int64) @ rng.integers(
        1 << 32, size=contents.shape[1]
    )  # alike: same code
    kinds = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(kinds)
    place = np.empty(len(order), np.int64)  # of a unit among those alike
    place[np.argsort(kinds, kind="stable")] = np.arange(len(order)) - np.repeat(sizes.cumsum() - sizes, sizes)
    even = place < (sizes // folds * folds)[kinds]
    fold[order[even]] = place[even] % folds
    np.add.at(held, fold[fold >= 0], contents[fold >= 0])
    rest = order[fold[order] < 0]
    largest_share = (contents[rest] / totals).max(axis=1)
    for unit in rest[np.argsort(-largest_share, kind="stable")]:
        # Least growth of the sum of squared shares, which is smallest when all folds hold the same.
        growth = held @ (contents[unit] / totals**2)
        fold[unit] = rng.choice(np.flatnonzero(growth == growth.min()))
        held[fold[unit]] += contents[unit]
    return fold
