"""Where a clip was recorded: site and deployment from its path, by a pattern, or from a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from primatrix.disk import NAME_COLUMNS, read_table
from primatrix.errors import InputError

__all__ = ["PLACE_COLUMNS", "Deployments", "compile_pattern", "match_sites", "read_deployments"]

PLACE_COLUMNS = ("site", "deployment")
SYNONYMS = {"locationID": "site", "deploymentID": "deployment", "time": "recorded_at"}
WANTED_TABLE = (
    "a column `filepath` (or `filename`, or `folder`) and one of `site`, `deployment`, `recorded_at`"
)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression behind `{site}/{visit}/{file}`; one with named groups, `(?P<site>…)`, is taken as it is.

    A word in braces stands for one part of the path, or a piece of it; `{file}` at the end for all that follows, in
    any depth. `site` must be among the words. Raises InputError for a pattern that cannot be read.

    >>> compile_pattern("{site}/{visit}/{file}").fullmatch("north/v1/DCIM/IMG_1.AVI").groupdict()
    {'site': 'north', 'visit': 'v1', 'file': 'DCIM/IMG_1.AVI'}
    """
    is_expression = "(?P<" in pattern
    try:
        compiled = re.compile(pattern if is_expression else _translate(pattern), re.DOTALL)
    except re.error as error:
        raise InputError(f"--site-from: got {pattern!r} ({error}), wanted {{site}}/{{visit}}/{{file}} or a "
                         "regular expression with (?P<site>…)") from None  # fmt: skip
    if "site" not in compiled.groupindex:
        raise InputError(f"--site-from: got {pattern!r}, wanted {{site}} (or a group (?P<site>…)) in it")
    return compiled


def _translate(pattern: str) -> str:
    head, ends_in_file = pattern.removesuffix("{file}"), pattern.endswith("{file}")
    parts = re.split(r"\{([A-Za-z_]\w*)\}", head)
    expression = "".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return expression + ("(?P<file>.+)" if ends_in_file else "/.+")


def match_sites(names: Sequence[str], pattern: str) -> pd.DataFrame:
    """Site and deployment of each name (index) by a pattern; both empty where it does not fit.

    A deployment is the pattern's own, or site and `visit`, or the site alone. A regular expression may fit anywhere
    in the path, a pattern in braces fits from its start. Raises InputError where it fits no name at all.

    >>> match_sites(["north/1/a.mp4", "b.mp4"], "{site}/{visit}/{file}")
                   site deployment
    north/1/a.mp4  north    north/1
    b.mp4
    """
    compiled = compile_pattern(pattern)
    find = compiled.search if "(?P<" in pattern else compiled.fullmatch
    rows = [_name_place(found.groupdict()) if (found := find(name)) else ("", "") for name in names]
    if names and not any(site for site, _ in rows):
        raise InputError(f"--site-from: {pattern!r} fits none of the {len(names)} files, the first {names[0]!r}; "
                         "wanted a pattern as {site}/{visit}/{file} of paths below the folder")  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(names), columns=list(PLACE_COLUMNS))


def _name_place(found: dict[str, str | None]) -> tuple[str, str]:
    site = found["site"] or ""
    visit = found.get("visit")
    return site, found.get("deployment") or (f"{site}/{visit}" if site and visit else site)


@dataclass(frozen=True, slots=True, eq=False)
class Deployments:
    """A table of places: `table` has the columns site, deployment and recorded_at, empty where not known.

    Its index names clips, or, with `by_folder`, folders all of whose clips share the row.
    """

    table: pd.DataFrame
    by_folder: bool

    def look_up(self, names: Sequence[str] | pd.Index) -> pd.DataFrame:
        """Site, deployment and recorded_at of each name (index), empty where the table does not have it.

        Of several folders that fit, the deepest counts.
        """
        keys = [self._folder_of(name) for name in names] if self.by_folder else list(names)
        found = self.table.reindex(keys).fillna("")
        found.index = pd.Index(names)
        return found

    def _folder_of(self, name: str) -> str:
        parts = name.split("/")[:-1]
        paths = ("/".join(parts[:depth]) for depth in range(len(parts), 0, -1))
        return next((path for path in paths if path in self.table.index), "")


def read_deployments(path: str | Path) -> Deployments:
    """Read deployments.csv: one row per clip (`filepath` or `filename`) or per folder (`folder`), with site,
    deployment and recorded_at, at least one of them. Camtrap DP's locationID and deploymentID do as well.

    Raises InputError for other columns, a clip or folder named twice, or a time that is not ISO 8601.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "deployments.csv")
    >>> _ = file.write_text("folder,site\\nCARD_1,north\\n")
    >>> read_deployments(file).look_up(["CARD_1/DCIM/a.mp4", "b.mp4"])["site"].tolist()
    ['north', '']
    """
    raw = read_table(path)
    raw = raw.rename(columns={old: new for old, new in SYNONYMS.items() if new not in raw.columns})
    keys = [column for column in (*NAME_COLUMNS, "folder") if column in raw.columns]
    known = [column for column in (*PLACE_COLUMNS, "recorded_at") if column in raw.columns]
    if not keys or not known:
        raise InputError(f"{path}: got columns {', '.join(map(str, raw.columns[:6]))}; wanted {WANTED_TABLE}")
    table = raw.set_index(keys[0]).reindex(columns=[*PLACE_COLUMNS, "recorded_at"], fill_value="").fillna("")
    if keys[0] == "folder":
        table.index = table.index.str.replace("\\", "/").str.strip("/")
    twice = table.index[table.index.duplicated() | table.index.isna()]
    if len(twice):
        raise InputError(f"{path}: {keys[0]} {twice[0]!r} has several rows or no name; wanted one row each")
    table["deployment"] = table["deployment"].where(table["deployment"] != "", table["site"])
    for name, text in table["recorded_at"][table["recorded_at"] != ""].items():
        _check_time(text, f"{path}: {name}")
    return Deployments(table, by_folder=keys[0] == "folder")


def _check_time(text: str, where: str) -> None:
    try:
        datetime.fromisoformat(text)
        is_time = len(text) > len("2023-04-15")  # a date alone tells no time of day
    except ValueError:
        is_time = False
    if not is_time:
        raise InputError(
            f"{where}: time {text!r}, wanted day and time of day in ISO 8601, as 2023-04-15T06:30:12"
        )
