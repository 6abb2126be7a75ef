"""What the README and the notebooks show is run, on a small simulated benchmark."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primatrix.cli import app
from primatrix.simulation import SimulationSpec, simulate

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme") / "data" / "final"
    simulate(folder, spec=SimulationSpec(train_clips=200, test_clips=70, seed=1), workers=2)
    return folder


def test_the_ten_lines_of_the_readme_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    small = block.replace("steps_per_epoch=500", "steps_per_epoch=2").replace(
        "validation_steps=30", "validation_steps=1"
    )
    assert small != block
    monkeypatch.chdir(data.parents[1])
    exec(compile(small, "README.md", "exec"), {})
    predictions = pd.read_csv("predictions.csv", index_col="filename")
    wanted = pd.read_csv(data / "submission_format.csv", index_col="filename")
    assert predictions.index.equals(wanted.index)
    assert predictions.columns.equals(wanted.columns)
    assert ((predictions > 0) & (predictions < 1)).all().all()


def test_every_command_of_the_readme_exists_and_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    shown = set(re.findall(r"^primatrix (\w+) .*  ", text, re.MULTILINE))
    assert shown == {command.callback.__name__ for command in app.registered_commands if command.callback}


def run_notebook(name: str, data: Path, folder: Path) -> list[Any]:  # Any: cells of a notebook
    """The code cells of a notebook after running it with small parameters."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(parameters) == 1
    places = f"DATA, RUN = {str(data)!r}, {str(folder / 'run')!r}"
    parameters[0].source = f"{places}\nEPOCHS, STEPS, VALIDATION_STEPS, BATCH = 1, 2, 1, 32"
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=folder)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cells: list[Any]) -> str:
    """All that the cells printed or showed as text."""
    shown = []
    for cell in cells:
        for output in cell.outputs:
            shown.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(shown)


@pytest.mark.filterwarnings("ignore::Warning")  # of Jupyter's own machinery
def test_the_benchmark_notebook_runs(data: Path, tmp_path: Path) -> None:
    text = text_of(run_notebook("benchmark.ipynb", data, tmp_path))
    assert "1,187,864" in text
    assert "70 of 70 rows predicted" in text
    assert len(pd.read_csv(tmp_path / "run" / "predictions.csv")) == 70


@pytest.mark.filterwarnings("ignore::Warning")
def test_the_keras_notebook_runs_and_keras_and_primatrix_agree(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    text = text_of(run_notebook("benchmark_keras.ipynb", data, tmp_path))
    assert "1,187,864" in text
    difference = float(re.findall(r"largest difference: ([\d.e+-]+)", text)[0])
    assert difference <= 1e-5
    assert len(pd.read_csv(tmp_path / "run" / "predictions.csv")) == 70


def test_notebooks_are_kept_without_outputs() -> None:
    nbformat = pytest.importorskip("nbformat")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), f"{path.name}: clear its outputs"
