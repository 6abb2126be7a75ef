"""Where a clip was recorded: site and deployment from its path, by a pattern."""

import re
from collections.abc import Sequence

import pandas as pd

from primatrix.errors import InputError

__all__ = ["PLACE_COLUMNS", "compile_pattern", "match_sites"]

PLACE_COLUMNS = ("site", "deployment")


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
