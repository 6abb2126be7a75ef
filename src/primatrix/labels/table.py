"""Label tables: which species are in which clip, read from the files of many programs and checked."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk import NAME_COLUMNS, read_table
from primatrix.errors import InputError
from primatrix.labels.cleaning import clean_names, match_species
from primatrix.labels.species import BLANK

__all__ = [
    "Labels",
    "count_sites",
    "count_species",
    "count_without_site",
    "number_units",
    "parse_labels",
    "read_submission_format",
]

_log = logging.getLogger(__name__)

BESIDE = ("site", "split")  # columns that stand beside those of species
# Words of a column `split`, zamba's and others', without spaces, _ and -.
PARTS: Mapping[str, str] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "validate": "val",
    "dev": "val", "holdout": "holdout", "heldout": "holdout", "test": "holdout", "testing": "holdout",
}  # fmt: skip
SHOWN = 3  # how many offending clips an error names


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Who is in which clip.

    `table` has one row per clip (index: the clip's name) and one float32 column of 0/1 per species.
    `sites` has the same index, or is None where sites are not known; so has `parts`, what the file says each clip is
    for: train, val or holdout. Clips that a file lists without a label are in none of them.
    """

    table: pd.DataFrame
    sites: "pd.Series[str] | None" = None
    parts: "pd.Series[str] | None" = None

    @property
    def species(self) -> tuple[str, ...]:
        """Species in column order."""
        return tuple(self.table.columns)

    def rename(self, names: Mapping[str, str]) -> "Labels":
        """The same with other names of clips; a clip that `names` does not have keeps its own.

        >>> Labels(pd.DataFrame({"hog": [1.0]}, index=["./a.mp4"])).rename({"./a.mp4": "a.mp4"}).table.index.tolist()
        ['a.mp4']
        """
        beside = [None if known is None else known.rename(names) for known in (self.sites, self.parts)]
        return Labels(self.table.rename(index=names), *beside)

    def spell(self, species: Iterable[str]) -> "Labels":
        """The same with species spelt as in `species`, where they are known there (see `match_species`).

        >>> Labels(pd.DataFrame({"Hog": [1.0], "okapi": [0.0]})).spell(["hog", "lion"]).species
        ('hog', 'okapi')
        """
        return replace(self, table=self.table.rename(columns=match_species(self.table.columns, species)))

    def keep(self, clips: pd.Index) -> "Labels":
        """The labels of these clips alone.

        >>> Labels(pd.DataFrame({"hog": [1.0, 0.0]}, index=["a", "b"])).keep(pd.Index(["b"])).table.index.tolist()
        ['b']
        """
        beside = [None if known is None else known.loc[clips] for known in (self.sites, self.parts)]
        return Labels(self.table.loc[clips], *beside)


def read_submission_format(path: str | Path) -> pd.DataFrame:
    """The table a submission must fill: its index and columns, in their order; values are all 0."""
    return _from_wide(read_table(Path(path)), Path(path))


def count_species(labels: Labels) -> "pd.Series[int]":
    """Clips per species, most frequent first.

    >>> table = pd.DataFrame({"hog": [1.0, 1.0], "lion": [0.0, 1.0]}, index=["a.mp4", "b.mp4"])
    >>> count_species(Labels(table)).to_dict()
    {'hog': 2, 'lion': 1}
    """
    return labels.table.sum().astype(int).sort_values(ascending=False, kind="stable")


def number_units(index: pd.Index, sites: "pd.Series[str] | None") -> NDArray[np.int64]:
    """What may not be torn apart, from 0: each clip's site, or the clip itself where its site is not known.

    >>> number_units(pd.Index(["a", "b", "c"]), pd.Series({"a": "north", "b": "", "c": "north"})).tolist()
    [0, 1, 0]
    """
    if sites is None:
        return np.arange(len(index))
    names = sites.reindex(index).fillna("").to_numpy(object)
    alone = [(name, i if name == "" else "") for i, name in enumerate(names)]
    return np.asarray(pd.factorize(pd.Series(alone, dtype=object))[0], np.int64)


def count_sites(index: pd.Index, sites: "pd.Series[str] | None") -> int:
    """How many sites these clips are known to come from.

    >>> count_sites(pd.Index(["a", "b", "c"]), pd.Series({"a": "north", "b": "", "c": "north"}))
    1
    """
    if sites is None:
        return 0
    known = sites.reindex(index).fillna("")
    return int(known[known != ""].nunique())


def count_without_site(index: pd.Index, sites: "pd.Series[str] | None") -> int:
    """How many of these clips have no known site.

    >>> count_without_site(pd.Index(["a", "b", "c"]), pd.Series({"a": "north", "b": ""}))
    2
    """
    if sites is None:
        return len(index)
    return int((sites.reindex(index).fillna("") == "").sum())


def _check_blank(table: pd.DataFrame, path: Path) -> None:
    """Refuse clips labelled `blank` and a species at once."""
    if BLANK not in table.columns:
        return
    both = (table[BLANK].to_numpy() == 1) & (table.to_numpy().sum(axis=1) > 1)
    if both.any():
        raise InputError(
            f"{path}: {both.sum()} clips are labelled `blank` together with a species "
            f"({_some(table.index[both])}); wanted one or the other; correct these rows"
        )


def parse_labels(raw: pd.DataFrame, path: Path, *, species: Sequence[str] | None = None) -> Labels:
    """Labels from the table that a file holds, wide or long, checked; `path` names the file in errors.

    >>> parse_labels(pd.DataFrame({"filepath": ["a.mp4"], "label": ["hog"]}), Path("labels.csv")).species
    ('hog',)
    """
    notes: list[str] = []
    if "site" in raw.columns:
        cleaned = clean_names(raw["site"], species=False)
        raw, notes = raw.assign(site=cleaned.names), list(cleaned.notes)
    if {"filepath", "label"} <= set(raw.columns) or {"filename", "label"} <= set(raw.columns):
        labels = _from_long(raw, path, species, notes)
    else:
        _refuse_probabilities(raw, path)
        names = str(raw.columns[0])
        table = _clean_columns(_from_wide(raw.drop(columns=list(BESIDE), errors="ignore"), path), notes)
        labels = Labels(table, _sites_of(raw, names, path), _parts_of(raw, names, path)).keep(table.index)
    if notes:
        _log.warning("%s: %s", path, "; ".join(notes))
    _check_blank(labels.table, path)
    return labels


def _clean_columns(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """A wide table with one column per species; clips that only a column for no label speaks of are left out."""
    cleaned = clean_names(table.columns.to_series(), unit="column")
    notes += cleaned.notes
    meant = cleaned.names.dropna()
    said = (table.sum(axis=1) == 0) | (table[meant.index].sum(axis=1) > 0)
    columns = {
        name: table.loc[said, words.index].max(axis=1) for name, words in meant.groupby(meant, sort=False)
    }
    return (
        table if len(meant) == table.shape[1] == len(columns) and not cleaned.notes else pd.DataFrame(columns)
    )


def _refuse_probabilities(raw: pd.DataFrame, path: Path) -> None:
    """Refuse a table of predictions; among labels a few values between 0 and 1 are mistakes of another kind."""
    numbers = raw.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if ((numbers > 0) & (numbers < 1)).sum() > np.isfinite(numbers).sum() / 2:
        raise InputError(f"{path}: got probabilities, wanted labels, 0 and 1 or a name per row; labels come first, "
                         "predictions second")  # fmt: skip


def _from_wide(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    names = raw.columns[0]
    if names not in NAME_COLUMNS or raw.shape[1] < 2:
        raise InputError(
            f"{path}: got columns {', '.join(map(str, raw.columns[:5]))}; wanted `filename` and one column "
            "of 0/1 per species, or `filepath,label[,site]`"
        )
    table = raw.set_index(names)
    _refuse_missing_names(table.index, path)
    _refuse_duplicates(table.index, path)
    extra = [c for c in BESIDE if c in table.columns]
    if extra:
        raise InputError(
            f"{path}: column `{extra[0]}` is not a species; wide files hold species only: remove it"
        )
    numbers = table.apply(pd.to_numeric, errors="coerce")
    wrong = ~numbers.isin((0, 1)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{path}: {wrong.sum()} values are not 0 or 1, the first {table.iloc[row, column]} for "
            f"{table.index[row]}, column {table.columns[column]}; correct them"
        )
    clean: pd.DataFrame = numbers.astype(np.float32)
    return clean


def _from_long(raw: pd.DataFrame, path: Path, species: Sequence[str] | None, notes: list[str]) -> Labels:
    names = "filepath" if "filepath" in raw.columns else "filename"
    _refuse_missing_names(raw[names], path)
    twice = raw.duplicated([names, "label"])
    if twice.any():
        clips = raw.loc[twice, names]
        raise InputError(f"{path}: {twice.sum()} duplicate rows (clip and label), the first {clips.iloc[0]}; "
                         "wanted each label of a clip once")  # fmt: skip
    cleaned = clean_names(raw["label"], known=species or ())
    notes += cleaned.notes
    labelled = raw.assign(label=cleaned.names).dropna(subset="label")
    if labelled.empty:
        raise InputError(f"{path}: no row has a label; wanted at least one")
    table = pd.crosstab(labelled[names], labelled["label"]).clip(upper=1).astype(np.float32)
    table = table.reindex(labelled[names].unique())  # file order, not alphabetical
    if species is not None:
        unknown = sorted(set(table.columns) - set(species))
        if unknown:
            raise InputError(
                f"{path}: labels {_some(unknown)} are not among the {len(species)} species wanted"
            )
        table = table.reindex(columns=list(species), fill_value=np.float32(0))
    table.index.name, table.columns.name = None, None
    return Labels(table, _sites_of(labelled, names, path), _parts_of(labelled, names, path))


def _sites_of(rows: pd.DataFrame, names: str, path: Path) -> "pd.Series[str] | None":
    if "site" not in rows.columns or rows["site"].isna().all():
        return None
    return _one_each(
        rows[names], rows["site"].fillna(""), f"{path}: %s has several sites; wanted one per clip"
    )


def _parts_of(rows: pd.DataFrame, names: str, path: Path) -> "pd.Series[str] | None":
    """What the column `split` says that each clip is for; None where there is none, or nothing in it."""
    if "split" not in rows.columns or rows["split"].isna().all():
        return None
    words = rows["split"].fillna("").astype(str)
    parts = words.map(lambda word: PARTS.get(re.sub("[ _-]", "", word).lower(), ""))
    wrong = np.flatnonzero(parts == "")
    if len(wrong):
        clip, word = rows[names].iloc[wrong[0]], words.iloc[wrong[0]]
        raise InputError(f"{path}: {clip} has {word or 'nothing'!r} in its column `split`; wanted train, val or "
                         "holdout for every labelled clip, or no such column")  # fmt: skip
    return _one_each(
        rows[names], parts, f"{path}: %s is in several parts of the column `split`; wanted one per clip"
    )


def _one_each(clips: "pd.Series[str]", values: "pd.Series[str]", refusal: str) -> "pd.Series[str]":
    """The value of each clip; InputError, with the clip's name in `refusal`, where it has several."""
    pairs = pd.DataFrame({"clip": clips, "value": values}).drop_duplicates()
    several = pairs["clip"].duplicated()
    if several.any():
        raise InputError(refusal % pairs.loc[several, "clip"].iloc[0])
    return pd.Series(pairs["value"].to_numpy(), index=pairs["clip"].to_list(), name=values.name)


def _refuse_missing_names(names: "pd.Series[str] | pd.Index", path: Path) -> None:
    if names.hasnans:
        raise InputError(
            f"{path}: {np.count_nonzero(names.isna())} rows have no clip name; wanted one in every row"
        )


def _refuse_duplicates(index: pd.Index, path: Path) -> None:
    twice = index.duplicated()
    if twice.any():
        raise InputError(
            f"{path}: {twice.sum()} duplicate rows ({_some(index[twice])}); wanted one row per clip"
        )


def _some(values: Sequence[object] | pd.Index) -> str:
    shown = ", ".join(map(str, list(values)[:SHOWN]))
    return shown if len(values) <= SHOWN else f"{shown}, …"
