"""The table of deployments: the site, times and coordinates of clips, of folders or of whole deployments.

One table serves `predict`, `neighbours`, `calibrate`, `evaluate` and `export`, and `simulate` writes it. A row is of a
clip (`filepath` or `filename`), of a folder (`folder`), or of a `deployment`. What else may stand in it: site,
deployment, recorded_at, time_shift (what to add to the camera's clock), latitude, longitude, start and end, and Camtrap
DP's other columns of deployments under their own names; columns that nobody knows are passed over. A deployment is one
camera at one site from `start` to `end`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.disk import read_text_table
from primatrix.errors import InputError
from primatrix.footage.matching import match_names
from primatrix.footage.shifts import WANTED_SHIFT, parse_shift

__all__ = ["CAMTRAP_NAMES", "Deployments", "read_deployments"]

KEYS = ("filepath", "filename", "folder", "deployment")
COLUMNS = ("site", "deployment", "recorded_at", "time_shift", "latitude", "longitude", "start", "end")
# Camtrap DP's words for ours, which do as well.
CAMTRAP_NAMES = {
    "deployment": "deploymentID", "site": "locationID", "start": "deploymentStart", "end": "deploymentEnd",
}  # fmt: skip
OF_A_CLIP = ["site", "deployment", "recorded_at", "time_shift"]
DEGREES = {"latitude": 90, "longitude": 180}
WANTED = (
    "a row per clip (`filepath` or `filename`), per `folder` or per `deployment`, and beside it some of "
    f"{', '.join(COLUMNS)}"
)


@dataclass(frozen=True, slots=True, eq=False)
class Deployments:
    """A table of deployments: all cells are text, empty where nothing is known.

    `table` has at least the columns that `COLUMNS` lists; its index is what `key` says, filepath, filename, folder or
    deployment. `path` is the file it was read from.
    """

    table: pd.DataFrame
    key: str
    path: Path

    def look_up(
        self,
        names: Sequence[str] | pd.Index,
        *,
        known: pd.DataFrame | None = None,
        root: str | Path | None = None,
    ) -> pd.DataFrame:
        """Site, deployment, recorded_at and time_shift of each clip (index: names), empty where the table has it not.

        Clips and folders are found as `match_names` finds them; `root` is the folder that `names` are paths below. Of
        several folders that fit, the deepest counts. A table by deployment needs `known`, the site and deployment
        that paths tell of each clip; a row of the site stands for its deployments that have none.
        """
        if self.key == "deployment":
            return self._look_up_known(names, known)
        above = {name: _list_folders(name) for name in names} if self.key == "folder" else {}
        places = {folder: None for folders in above.values() for folder in folders} if above else names
        rows = match_names(self.table.index, places, root=root, table=self.path)
        row_of = {place: row for row, place in rows.items()}
        if above:
            keys = [next((row_of[place] for place in above[name] if place in row_of), "") for name in names]
        else:
            keys = [row_of.get(name, "") for name in names]
        found = self.table[OF_A_CLIP].reindex(keys).fillna("")
        found.index = pd.Index(names)
        return found

    def sites_of(self, names: Sequence[str] | pd.Index) -> "pd.Series[str]":
        """The site of each clip (index: names), "" where it is not known; InputError where none is."""
        sites = self.look_up(names)["site"]
        if len(sites) and not (sites != "").any():
            raise InputError(f"{self.path}: has a site for none of the {len(sites)} labelled clips; got {self.key} "
                             f"{self.table.index[0]}, wanted clips as in the labels: {sites.index[0]}")  # fmt: skip
        return sites

    def by_deployment(self, *, others: Sequence[str] = ()) -> pd.DataFrame:
        """What is known of each deployment (index): site, latitude, longitude, start, end, and `others` where there.

        Raises InputError where rows of one deployment say different things.
        """
        columns = ["site", "latitude", "longitude", "start", "end"]
        columns += [name for name in others if name in self.table.columns and name not in columns]
        rows = self.table[["deployment", *columns]].reset_index(drop=True).drop_duplicates()
        rows = rows[rows["deployment"] != ""]
        groups = rows.where(rows != "").groupby("deployment", sort=False)
        counts = groups.nunique()
        for row, place in np.argwhere(counts.to_numpy() > 1)[:1]:
            name, column = counts.index[row], counts.columns[place]
            values = sorted(set(rows.loc[rows["deployment"] == name, column]) - {""})
            raise InputError(f"{self.path}: {column} of deployment {name} is both {values[0]} and {values[1]}; wanted "
                             "one, or two deployments")  # fmt: skip
        return groups.first().fillna("").astype(str)

    def _look_up_known(self, names: Sequence[str] | pd.Index, known: pd.DataFrame | None) -> pd.DataFrame:
        found = pd.DataFrame("", index=pd.Index(names), columns=OF_A_CLIP)
        if known is not None:
            of_row = known["deployment"].isin(self.table.index)
            rows = known["deployment"].where(of_row, known["site"])
            found["site"] = self.table["site"].reindex(rows).fillna("").to_numpy()
            found["time_shift"] = self.table["time_shift"].reindex(rows).fillna("").to_numpy()
            found["deployment"] = known["deployment"].where(rows.isin(self.table.index), "").to_numpy()
        return found


def read_deployments(path: str | Path) -> Deployments:
    """Read a table of deployments (CSV): a row per clip, folder or deployment, as this module describes them.

    Where a row has a site and no deployment, the site is one. Camtrap DP's words do as well (locationID, deploymentID,
    deploymentStart, deploymentEnd). Raises InputError where rows cannot be told apart or say nothing that is known, for
    a time that is not ISO 8601, a shift that is no length of time and coordinates that are none.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "deployments.csv")
    >>> _ = file.write_text("folder,site\\nCARD_1,north\\n")
    >>> read_deployments(file).look_up(["CARD_1/DCIM/a.mp4", "b.mp4"])["site"].tolist()
    ['north', '']
    """
    path = Path(path)
    raw = read_text_table(path, needed=())
    ours = {theirs: own for own, theirs in CAMTRAP_NAMES.items() if own not in raw.columns}
    raw = raw.rename(columns=ours)
    said = set(COLUMNS) & set(raw.columns)
    key = next((name for name in KEYS if name in raw.columns), "")
    if not key and "site" in said:  # one camera at each site
        raw, key, said = raw.assign(deployment=raw["site"]), "deployment", said - {"site"}
    if not key or not said - {key}:
        raise InputError(f"{path}: got columns {', '.join(map(str, raw.columns[:6]))}; wanted {WANTED}")
    if raw.empty:
        raise InputError(f"{path}: no rows; wanted {WANTED}")
    index = raw[key].str.replace("\\", "/").str.strip("/") if key == "folder" else raw[key]
    twice = index[index.duplicated() | (index == "")]
    if len(twice):
        raise InputError(f"{path}: {key} {twice.iloc[0]!r} has several rows or no name; wanted one row each")
    missing = [name for name in COLUMNS if name not in raw.columns]
    table = raw.assign(**dict.fromkeys(missing, "")).set_index(index)
    table[["site", "deployment"]] = table[["site", "deployment"]].apply(lambda column: column.str.strip())
    table["deployment"] = table["deployment"].where(table["deployment"] != "", table["site"])
    _check_cells(table, path)
    return Deployments(table, key, path)


def _list_folders(name: str) -> list[str]:
    """The folders a clip lies in, the deepest first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]


def _check_cells(table: pd.DataFrame, path: Path) -> None:
    for column in ("recorded_at", "start", "end"):
        for name, text in table[column][table[column] != ""].drop_duplicates().items():
            if not _is_time(text):
                raise InputError(f"{path}: {name}: {column} {text!r}, wanted day and time of day in ISO 8601, as "
                                 "2023-04-15T06:30:12")  # fmt: skip
    for name, text in table["time_shift"][table["time_shift"] != ""].drop_duplicates().items():
        if not _is_shift(text):
            raise InputError(f"{path}: {name}: time_shift {text!r}, wanted {WANTED_SHIFT}")
    for column, most in DEGREES.items():
        for name, text in table[column][table[column] != ""].drop_duplicates().items():
            if not _is_degrees(text, most):
                raise InputError(
                    f"{path}: {name}: {column} {text!r}, wanted degrees as a number from -{most} to {most}"
                )


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) > len("2023-04-15")  # a date alone tells no time of day


def _is_shift(text: str) -> bool:
    try:
        parse_shift(text)
    except InputError:
        return False
    return True


def _is_degrees(text: str, most: int) -> bool:
    try:
        return abs(float(text)) <= most
    except ValueError:
        return False
