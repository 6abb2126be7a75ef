"""Files and numbers that are not what they should be: one line each, exit code 2, and no traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primatrix.models import build_model
from primatrix.records import ClipSpec
from primatrix.results import Results

Run = Callable[..., Any]  # Any: conftest's Ended
DEEP = '{"a":' + "[" * 200_000 + "]" * 200_000 + "}"


def check_one_line(ended: Any, *parts: str) -> None:  # Any: conftest's Ended
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1, ended.err
    for part in parts:
        assert part in ended.err
    assert len(ended.err) < 600


@pytest.mark.parametrize(
    "words",
    [
        ("pack", "FOOTAGE", "--store", "STORE"),
        ("train", "FOOTAGE", "--labels", "FOOTAGE/labels.csv", "--store", "STORE"),
        ("predict", "FOOTAGE", "--model", "MODEL"),
        ("downsample", "FOOTAGE", "OUT"),
        ("simulate", "OUT", "--train", "2", "--test", "1"),
    ],
)
def test_fewer_than_no_workers_are_refused(
    run: Run, words: tuple[str, ...], footage: Path, model: Path, tmp_path: Path
) -> None:
    places = {"FOOTAGE": footage, "MODEL": model, "STORE": tmp_path / "store", "OUT": tmp_path / "out"}
    for name, path in places.items():
        words = tuple(word.replace(name, str(path)) for word in words)
    out = ("--out", tmp_path / "run") if words[0] in ("train", "predict") else ()
    check_one_line(run(*words, *out, "--workers", -1), "workers: got -1, wanted 0 or more")


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("species", 3, "species: got 3, wanted a list of names"),
        ("species", None, "species: got None"),
        ("species", ["blank", 5], "species: got ['blank', 5]"),
        ("thresholds", "high", "thresholds: got 'high', wanted a number from 0 to 1 by species"),
        ("thresholds", {"duiker": "0.5"}, "thresholds: got {'duiker': '0.5'}"),
        ("thresholds", {"duiker": float("nan")}, "thresholds: got {'duiker': nan}"),
        (
            "operating_points",
            [],
            "operating_points: got [], wanted task, score, threshold and promise by name",
        ),
        ("operating_points", {"skip": 1}, "operating_points: got {'skip': 1}"),
        (
            "operating_points",
            {"find": {"task": "find", "score": "lion", "threshold": None}},
            "operating_points: got score 'lion', wanted one of its species",
        ),
        (
            "operating_points",
            {"skip": {"task": "skip", "score": "blank", "threshold": 0.5}},
            "operating_points: got {'skip': {'task': 'skip'",
        ),
        ("calibration", 1, "calibration: got 1"),
        ("to_watch", ["x"], "to_watch: got ['x']"),
        ("model_digest", 5, "model_digest: got 5"),
        ("settings", [1], "settings: got [1]"),
        ("settings", {"interval_minutes": "x"}, "settings: got {'interval_minutes': 'x'}"),
        ("created", "yesterday", "created: got 'yesterday', wanted a time in ISO 8601, or nothing"),
        ("timezone", 1, "timezone: got 1, wanted the name of a time zone, or nothing"),
        ("model", None, "model: got None, wanted a name"),
        ("folder", ["x"], "folder: got ['x'], wanted the folder of the footage"),
        ("folder", "x" * 500, None),
    ],
)
def test_odd_values_in_run_json_are_one_line_for_every_command(
    run: Run, example: Results, tmp_path: Path, fact: str, value: object, said: str | None
) -> None:
    folder = example.write(tmp_path / "results")
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, fact: value}))
    if said is None:
        assert run("export", folder, "--out", tmp_path / "out.csv").code in (0, 1)
        return
    for words in (("report", folder), ("export", folder, "--out", tmp_path / "out.csv"),
                  ("export", folder, "--to", "megadetector", "--out", tmp_path / "out.json")):  # fmt: skip
        check_one_line(run(*words), f"{folder}: run.json: {said}", "run `primatrix predict` again")


def test_a_run_json_without_the_facts_that_were_added_later_is_read(
    run: Run, example: Results, tmp_path: Path
) -> None:
    folder = example.write(tmp_path / "results")
    facts = json.loads((folder / "run.json").read_text())
    for name in ("model_digest", "calibration", "to_watch"):
        del facts[name]
    (folder / "run.json").write_text(json.dumps(facts))
    ended = run("export", folder, "--out", tmp_path / "out.csv")
    assert (ended.code, ended.err) == (0, "")


def test_json_that_is_nested_too_deeply_is_one_line(
    run: Run, example: Results, footage: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text(DEEP)
    results = example.write(tmp_path / "results")
    for words in (
        ("export", results, "--to", "camtrap-dp", "--out", tmp_path / "p", "--project", deep),
        ("train", footage, "--labels", deep, "--out", tmp_path / "run", "--store", tmp_path / "store"),
        ("train", footage, "--labels", footage / "labels.csv", "--config", deep, "--out", tmp_path / "run"),
        ("export", "--check", deep),
    ):
        check_one_line(run(*words), str(deep))
    (results / "run.json").write_text(DEEP)
    check_one_line(run("report", results), "run.json: nested too deeply to be read")
    build_model("lrcn", species=["blank", "hog"], spec=ClipSpec(2, 16, 16)).save(tmp_path / "model")
    (tmp_path / "model" / "neighbours.json").write_text(DEEP)
    check_one_line(
        run("predict", footage, "--model", tmp_path / "model", "--out", tmp_path / "o"), "neighbours.json"
    )
    (tmp_path / "model" / "neighbours.json").unlink()
    (tmp_path / "model" / "model.json").write_text(DEEP)
    check_one_line(
        run("predict", footage, "--model", tmp_path / "model", "--out", tmp_path / "o"), "model.json"
    )
    check_one_line(run("info", tmp_path / "model"), "model.json")
    simulated = tmp_path / "simulated"
    simulated.mkdir()
    (simulated / "simulation.json").write_text(DEEP)
    check_one_line(run("simulate", simulated, "--train", 2, "--test", 1), "holds another simulation")
    (tmp_path / "list.csv").write_text('filepath,labels\n0.avi,"' + "[" * 200_000 + '"\n')
    words = ("train", footage, "--labels", tmp_path / "list.csv", "--out", tmp_path / "run")
    check_one_line(run(*words), "is not a JSON list")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", DEEP])
def test_a_downsample_json_that_is_none_is_one_line_that_says_what_to_do(
    run: Run, footage: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "downsample.json").write_text(text)
    check_one_line(
        run("downsample", footage, tmp_path / "small"),
        "downsample.json",
        "use another target folder, or delete",
    )


def test_stray_files_among_shards_are_left_alone(run: Run, footage: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ("pack", footage, "--store", store, "--workers", 0)
    assert run(*words).code == 0
    (folder,) = (path for path in store.iterdir() if path.is_dir())
    for name in ("shard-notes.parquet", "shard-notes.npy", "shard-.parquet", "shard-1 (copy).parquet"):
        (folder / name).write_text("mine")
    (folder / "shard-000007.npy").mkdir()
    ended = run(*words)
    assert (ended.code, ended.err) == (0, "")
    assert "18 were there" in ended.out
    assert (folder / "shard-notes.npy").read_text() == "mine"


def test_a_table_of_another_program_in_the_place_of_a_shard_is_one_line(
    run: Run, footage: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    words = ("pack", footage, "--store", store, "--workers", 0)
    assert run(*words).code == 0
    (folder,) = (path for path in store.iterdir() if path.is_dir())
    pd.DataFrame({"key": ["a"], "status": [1]}).to_parquet(folder / "shard-000001.parquet")
    check_one_line(run(*words), "shard 1 cannot be read", "delete its .npy and .parquet and pack again")


def test_a_taxonomy_whose_name_is_mistyped_is_refused_and_not_made(
    run: Run, example: Results, tmp_path: Path
) -> None:
    folder, typo = example.write(tmp_path / "results"), tmp_path / "typo.csv"
    out = tmp_path / "o.csv"
    check_one_line(
        run("export", folder, "--out", out, "--taxonomy", typo),
        f"{typo}: no such file; check the name, or write one with --copy-taxonomy {typo}",
    )
    assert not typo.exists()
    assert not out.exists()
    ended = run("export", "--copy-taxonomy", typo)
    assert ended.code == 0, ended.err
    assert run("export", folder, "--out", out, "--taxonomy", typo).code in (0, 1)
    check_one_line(run("export", "--copy-taxonomy", typo), "exists, and may have been edited")
