"""Labels as people write them, made one: spellings of a species, words for a blank clip, words for no label."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primatrix.labels.species import BLANK

__all__ = ["Cleaned", "clean_names", "fold_name", "match_species"]

# What people and programs call a clip without an animal: LILA and MegaDetector empty, Zooniverse nothing here, others.
BLANK_WORDS = frozenset([
    "blank", "blanks", "empty", "none", "nothing", "nothing here", "nothinghere", "no animal", "no animals",
    "noanimal", "no species", "no wildlife", "false trigger", "misfire", "vide", "vacio", "vacío", "vazio", "leer",
])  # fmt: skip
# What stands for no label, as spreadsheets, R and pandas write it. `None` is a word for blank.
NO_LABEL = frozenset(["", "na", "n/a", "#n/a", "nan", "-nan", "<na>", "null", "nil"])
MOST_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """Names made one: `names` (NaN where a cell says nothing), and what was done, as parts of a line."""

    names: "pd.Series[str]"
    notes: tuple[str, ...]


def fold_name(name: str) -> str:
    """A species' name by which its spellings are told to be the same; that of a blank clip is `blank`.

    Upper and lower case, spaces at its ends, several or other kinds of spaces, `_` and forms of Unicode say nothing.

    >>> [fold_name(name) for name in ("Forest_Buffalo ", "forest  buffalo", "EMPTY", "No-animal")]
    ['forest buffalo', 'forest buffalo', 'blank', 'blank']
    """
    seen = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    folded = " ".join(plain.replace("_", " ").split())
    return BLANK if folded.replace("-", " ") in BLANK_WORDS else folded


def match_species(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The known species that each name means, however it is spelt; a name of none, or of several, is left out.

    >>> match_species(["Hog", "Empty", "lion"], ["hog", "blank"])
    {'Hog': 'hog', 'Empty': 'blank'}
    """
    spellings: dict[str, set[str]] = {}
    listed = list(known)
    for name in listed:
        spellings.setdefault(fold_name(name), set()).add(name)
    exact = {name: {name} for name in listed}
    found = {name: exact.get(name) or spellings.get(fold_name(name), set()) for name in names}
    return {name: next(iter(those)) for name, those in found.items() if len(those) == 1}


def clean_names(
    column: "pd.Series[str]", *, known: Iterable[str] = (), species: bool = True, unit: str = "row"
) -> Cleaned:
    """A column of names, each in the first of its spellings, or in that of `known`, without spaces at its ends.

    With `species`, words for a blank clip are `blank`, and words for no label are missing; sites (`species=False`) may
    be called so. `unit` is what the notes count.

    >>> cleaned = clean_names(pd.Series(["Hog", "hog ", "Empty", "NA"]))
    >>> cleaned.names.tolist()
    ['Hog', 'Hog', 'blank', nan]
    >>> cleaned.notes
    ("'hog ' taken for Hog (1 row)", 'Empty taken for blank (1 row)', 'NA taken for no label (1 row)')
    """
    texts = column.map(str, na_action="ignore")
    meaning = _find_meanings([str(word) for word in texts.dropna().unique()], known, species)
    notes = []
    for target in dict.fromkeys(meaning.values()):
        others = [word for word, meant in meaning.items() if meant == target != word]
        if others:
            rows = int(texts.isin(others).sum())
            notes.append(
                f"{_some(others)} taken for {target or 'no label'} ({rows} {unit}{'s' * (rows != 1)})"
            )
    names = texts.map({word: name or np.nan for word, name in meaning.items()}, na_action="ignore")
    return Cleaned(names.astype(object), tuple(notes))


def _find_meanings(words: list[str], known: Iterable[str], species: bool) -> dict[str, str]:
    """What each word means; "" for no label."""
    first: dict[str, str] = {}
    for name in [*known, *([BLANK] if species else [])]:
        first.setdefault(fold_name(name), name)
    meaning = {}
    for word in words:
        folded = fold_name(word) if species else " ".join(word.split()).casefold()
        said = first.setdefault(folded, word.strip())
        meaning[word] = "" if species and folded in NO_LABEL else said
    return meaning


def _some(words: list[str]) -> str:
    shown = ", ".join(repr(word) if word != word.strip() else word for word in words[:MOST_SHOWN])
    return shown if len(words) <= MOST_SHOWN else f"{shown}, …"
