"""Labels in a file of any format, which its content tells."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from primatrix.disk import read_header, read_table
from primatrix.interchange.formats import find_format, read_export
from primatrix.labels import Labels, parse_labels

__all__ = ["read_labels"]


def read_labels(path: str | Path, *, species: Sequence[str] | None = None) -> Labels:
    """Read a label file of any format, which its content tells, and check it.

    Wide CSV: `filename` (or `filepath`), then one column of 0/1 per species, as the benchmark's train_labels.csv.
    Long CSV: `filepath,label[,site][,split]`, one row per species of a clip, as zamba's label files; a row without
    label lists a clip nobody has labelled. Lists: `filepath,labels`, with `duiker;hog` in a cell, or a JSON list.
    `split` says what a clip is for: train, val or holdout (test). It may stand in a wide file too, and so may `site`.
    Camtrap DP (its folder or datapackage.json), MegaDetector's JSON, SpeciesNet's JSON: see `docs/formats.md`.
    `species` fixes the columns and their order (all but wide files; by default the labels that occur, sorted).

    Raises InputError for a missing file, wrong columns, duplicate rows, values other than 0 and 1, and
    `blank` together with a species.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "labels.csv")
    >>> _ = file.write_text("filepath,label\\na.mp4,hog\\na.mp4,duiker\\nb.mp4,blank\\n")
    >>> read_labels(file).table
           blank  duiker  hog
    a.mp4    0.0     1.0  1.0
    b.mp4    1.0     0.0  0.0
    """
    path = Path(path)
    other = path.exists() and _is_exchange(path)
    raw = read_export(path).rows.replace("", np.nan) if other else read_table(path)
    return parse_labels(raw, path, species=species)


def _is_exchange(path: Path) -> bool:
    """Whether a file is neither a wide nor a plain long table (a long one may have a row per stretch of a label)."""
    if path.suffix.lower() == ".csv":
        header = read_header(path)
        return "labels" in header or {"label", "start_seconds"} <= set(header)
    return find_format(path) not in ("csv", "long-csv")
