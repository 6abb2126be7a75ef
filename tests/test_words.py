"""One word, one meaning: what the names of arguments and options promise, in every function and command."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

import primatrix
from primatrix.cli import app
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import build_model
from primatrix.records import ClipSpec

SOURCE = Path(primatrix.__file__).parent
LABELS = ("labels", "y_true", "true", "truth", "y")
PREDICTIONS = ("predictions", "y_prob", "prob", "probabilities", "logits")


def arguments() -> Iterator[tuple[str, list[ast.arg]]]:
    """Every function of the library by its place, and its arguments in their order."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                words = node.args
                yield (
                    f"{path.relative_to(SOURCE)}: {node.name}",
                    [*words.posonlyargs, *words.args, *words.kwonlyargs],
                )


def test_labels_come_before_predictions_in_every_function() -> None:
    wrong = []
    for place, words in arguments():
        names = [word.arg for word in words]
        labels = [names.index(name) for name in LABELS if name in names]
        predictions = [names.index(name) for name in PREDICTIONS if name in names]
        if labels and predictions and min(predictions) < max(labels):
            wrong.append(f"{place}({', '.join(names)})")
    assert wrong == []


def test_a_device_is_a_word_everywhere() -> None:
    kinds = {
        f"{place}: {ast.unparse(word.annotation)}"
        for place, words in arguments()
        for word in words
        if word.arg == "device" and word.annotation
    }
    assert len(kinds) > 5
    words = {kind for kind in kinds if kind.endswith(": Device")}
    options = {
        kind for kind in kinds if kind.startswith("cli/") and kind.endswith(": OnDevice")
    }  # an option's
    assert kinds - words - options == set()


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_table_that_simulate_writes_is_read_by_every_command_as_it_is(tmp_path: Path) -> None:
    data, model, results = tmp_path / "data", tmp_path / "model", tmp_path / "results"
    run("simulate", data, "--train", 200, "--test", 40, "--quiet", "--workers", 1)
    build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec()).save(model)
    project = {
        "title": "Simulated", "samplingDesign": "opportunistic", "captureMethod": ["activityDetection"],
        "individualAnimals": False, "contributors": [{"title": "A. Ranger"}],
    }  # fmt: skip
    (tmp_path / "project.json").write_text(json.dumps(project))
    table = ("--deployments", data / "deployments.csv")
    both = (data / "train_labels.csv", results / "predictions.csv")

    said = run("predict", data / "nano", "--model", model, "--out", results, *table, "--timezone", "Africa/Abidjan",
               "--workers", 0, "--quiet")  # fmt: skip
    assert "8 sites" in said
    assert "clips of 8 sites" in run("evaluate", *both, *table)
    assert "for 200 clips of 8 sites" in run("calibrate", model, *both, *table)
    assert "on held-out sites (200 clips)" in run("neighbours", *both, *table, "--model", model)
    package = tmp_path / "package"
    run(
        "export",
        results,
        "--to",
        "camtrap-dp",
        "--out",
        package,
        *table,
        "--project",
        tmp_path / "project.json",
    )
    assert "valid camtrap-dp" in run("export", "--check", package)
    written = pd.read_csv(package / "deployments.csv").set_index("deploymentID").sort_index()
    known = pd.read_csv(data / "deployments.csv").groupby("deployment").first()
    assert written.index.tolist() == known.index.tolist()
    assert written["locationID"].tolist() == known["site"].tolist()
    assert written["latitude"].tolist() == known["latitude"].tolist()
