from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Run = Callable[..., Any]  # Any: conftest's Ended


def test_what_was_learned_is_said_and_lies_in_the_model(tables: Path, run: Run) -> None:
    places = pd.read_csv(tables / "val_clips.csv")
    minutes = np.arange(len(places)) * np.timedelta64(20, "m")
    places["recorded_at"] = np.datetime_as_string(np.datetime64("2023-04-15T06:00:00") + minutes, unit="s")
    places.to_csv(tables / "deployments.csv", index=False)
    words = ("neighbours", tables / "val_labels.csv", tables / "val.csv", "--model", tables / "model")
    ended = run(*words, "--deployments", tables / "deployments.csv", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("neighbours: o")  # on or off
    assert "on held-out sites (500 clips)" in ended.out
    assert (tables / "model" / "neighbours.json").is_file()


def test_a_table_without_times_is_one_line(tables: Path, run: Run) -> None:
    words = ("neighbours", tables / "val_labels.csv", tables / "val.csv", "--model", tables / "model")
    ended = run(*words, "--deployments", tables / "val_clips.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "no time for any of the 500 labelled clips; wanted a column `recorded_at`" in ended.err
