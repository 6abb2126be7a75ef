import json
from pathlib import Path

import pandas as pd
import pytest

from primatrix.interchange.camtrap_rules import RULES, Rule, check_column

SAFE_PATH = r"text like ^(?=^[^./~])(^((?!\.{2}).)*$).*$"


def check(cells: list[str], rule: Rule) -> list[str]:
    return check_column(pd.Series(cells, name="column"), rule)


def test_the_rules_are_those_of_the_published_schemas(schemas: Path) -> None:
    for name, rules in RULES.items():
        fields = json.loads((schemas / f"{name}-table-schema.json").read_text())["fields"]
        assert [field["name"] for field in fields] == list(rules)
        for field in fields:
            rule, wanted = rules[field["name"]], field["constraints"]
            assert rule.required == wanted["required"], field
            assert rule.unique == wanted.get("unique", False)
            assert list(rule.words) == wanted.get("enum", [])
            assert (rule.least, rule.most) == (wanted.get("minimum"), wanted.get("maximum"))
            assert rule.pattern == wanted.get("pattern", "").replace(r"\/", "/")
            assert {"datetime": "time", "string": "text", "any": "text"}.get(
                field["type"], field["type"]
            ) == rule.kind


@pytest.mark.parametrize(
    ("rule", "right", "wrong", "wanted"),
    [
        (RULES["deployments"]["latitude"], ["-90", "90", "5.25"], "90.01", "a number from -90 to 90"),
        (RULES["deployments"]["cameraHeight"], ["0", "1e3"], "-0.1", "a number from 0 to …"),
        (RULES["observations"]["count"], ["1", "12"], "1.0", "a whole number from 1 to …"),
        (RULES["media"]["filePublic"], ["true", "FALSE", "0"], "yes", "true or false"),
        (RULES["media"]["captureMethod"], ["timeLapse"], "timelapse", "one of activityDetection, timeLapse"),
        (RULES["media"]["timestamp"], ["2026-03-01T06:30:00Z", "2026-03-01T06:30:00+01:00"], "2026-03-01T06:30:00",
         "a time with its zone, as 2026-03-01T06:30:00+01:00"),
        (RULES["media"]["timestamp"], [], "2026-02-30T06:30:00Z", "a time with its zone, as 2026-03-01T06:30:00+01:00"),
        (RULES["media"]["fileMediatype"], ["image/jpeg", "video/mp4"], "mp4", "text like ^(image|video|audio)/.*$"),
        (RULES["media"]["filePath"], ["a/b.mp4", "a b/c.d.mp4"], "a/../b.mp4", SAFE_PATH),
        (RULES["media"]["filePath"], [], "~a.mp4", SAFE_PATH),
    ],
)  # fmt: skip
def test_a_column_holds_what_its_rule_says_and_else_the_first_wrong_cell_is_named(
    rule: Rule, right: list[str], wrong: str, wanted: str
) -> None:
    assert check(right, rule) == []
    assert check([*right, wrong, wrong], rule) == [f"column: {wrong!r}; wanted {wanted}"]


def test_na_and_nan_are_nothing_as_the_published_schemas_have_it() -> None:
    for nothing in ("", "NA", "NaN", "nan"):
        assert check(["1", nothing], Rule("number", unique=True)) == []
        assert check(["1", nothing], Rule("number", required=True)) == [
            "column: nothing in row 3; wanted a value in every row"
        ]
    assert check(["none"], Rule("number")) == ["column: 'none'; wanted a number from None to …"]


def test_a_column_may_be_wrong_in_several_ways_at_once_a_line_each() -> None:
    assert check(["", "x", "x"], Rule("integer", required=True, unique=True, least=1)) == [
        "column: nothing in row 2; wanted a value in every row",
        "column: 'x' twice; wanted each once",
        "column: 'x'; wanted a whole number from 1 to …",
    ]
