"""What tests of commands share: the program run as a person runs it, a small benchmark, a model, some footage."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import build_model
from primatrix.records import ClipSpec
from primatrix.simulation import SimulationSpec, simulate

BROKEN = 5
SPECIES = ["blank", "duiker", "hog"]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The program in this process, which saves the seconds torch takes to load."""

    def call(*words: object) -> Ended:
        from primatrix.cli import main

        monkeypatch.setattr(sys, "argv", ["primatrix", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, out, err)

    return call


@pytest.fixture
def run_program() -> Run:
    """The program in a process of its own, 80 columns wide."""

    def call(*words: object) -> Ended:
        command = [sys.executable, "-m", "primatrix", *map(str, words)]
        environment = {**os.environ, "COLUMNS": "80"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=environment, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark folder of 120 clips for training and 45 for testing, five of all of them broken."""
    folder = tmp_path_factory.mktemp("benchmark")
    simulate(folder, spec=SimulationSpec(train_clips=120, test_clips=45, broken=BROKEN, seed=3), workers=1)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained LRCN for the benchmark."""
    folder = tmp_path_factory.mktemp("model")
    build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec()).save(folder)
    return folder


@pytest.fixture(scope="session")
def footage(make_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 clips of 6 sites and three labels, with labels.csv beside them."""
    folder = tmp_path_factory.mktemp("footage")
    rows = []
    for i in range(18):
        make_video(folder / f"{i}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
        rows.append((f"{i}.avi", ("hog", "duiker", "blank")[i % 3], f"site{i % 6}"))
    pd.DataFrame(rows, columns=["filepath", "label", "site"]).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A model; labels, sites and predictions of 500 validation and 400 test clips."""
    build_model("lrcn", species=SPECIES, spec=ClipSpec()).save(tmp_path / "model")
    rng = np.random.default_rng(0)
    for part, clips in (("val", 500), ("test", 400)):
        index = pd.Index([f"{part}{i}.mp4" for i in range(clips)], name="filename")
        true = pd.DataFrame(np.eye(3)[rng.choice(3, p=[0.5, 0.3, 0.2], size=clips)], index, SPECIES)
        prob = 1 / (1 + np.exp(-2 * (4 * true - 2 + rng.normal(size=true.shape))))
        true.astype(int).to_csv(tmp_path / f"{part}_labels.csv")
        prob.to_csv(tmp_path / f"{part}.csv", float_format="%.7g")
        sites = pd.DataFrame({"site": rng.integers(10, size=clips), "duration_seconds": 15.0}, index)
        sites.to_csv(tmp_path / f"{part}_clips.csv")
    return tmp_path
