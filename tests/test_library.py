"""The library as a user's editor and type checker see it, and as its objects introduce themselves."""

import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

import primatrix as pm

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
from pathlib import Path

import primatrix as pm

data = pm.Dataset("data/final", dataset_type="nano", batch_size=32)
model: pm.Model = pm.build_model("lrcn", species=data.class_names, spec=data.spec)
history: pm.History = pm.train(model, data, epochs=2)
loss: float = history.epochs[0].loss
facts: pm.VideoFacts = pm.probe_video("a.mp4")
rate: float = facts.frames_per_second
options = pm.PoolOptions(workers=2)
for result in pm.decode_clips(pm.find_videos(Path("card")), pm.ClipSpec(), options=options):
    if isinstance(result, pm.Failure):
        print(result.stage)
    else:
        print(result.frames.shape, result.pts_seconds)
found: pm.Results = pm.predict_folder("card", model, "results").results
names: tuple[str, ...] = found.species
"""
WRONG = """
import primatrix as pm

pm.build_model("lrcn", species=["hog"], spec="15x16x16")
pm.build_modle
rate: int = pm.probe_video("a.mp4").frames_per_second
"""


def check_types(script: str, folder: Path) -> list[str]:
    """What mypy, as strict as it is, says of a user's script."""
    pytest.importorskip("mypy")
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(folder / "cache"),
               "script.py"]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_a_users_script_type_checks_and_its_mistakes_are_found(tmp_path: Path) -> None:
    assert check_types(SCRIPT, tmp_path) == []
    found = check_types(WRONG, tmp_path)
    assert [line.split(": ")[0] for line in found if ": error: " in line] == [
        f"script.py:{n}" for n in (4, 5, 6)
    ]


def test_an_editor_completes_names_and_knows_their_arguments() -> None:
    jedi = pytest.importorskip("jedi")
    script = jedi.Script("import primatrix as pm\npm.build_m\npm.probe_video(")
    assert "build_model" in {found.name for found in script.complete(2, len("pm.build_m"))}
    (call,) = script.get_signatures(3, len("pm.probe_video("))
    assert call.params[0].name == "path"


def test_every_public_name_is_in_the_stub_and_typed() -> None:
    assert (Path(pm.__file__).parent / "py.typed").is_file()
    stub = Path(pm.__file__).with_suffix(".pyi").read_text()
    assert [name for name in pm.__all__ if f" {name}" not in stub and f"{name}:" not in stub] == []


def test_the_wheel_says_what_it_is() -> None:
    facts, project = metadata("primatrix"), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert facts["Version"] == pm.__version__
    assert facts["License-Expression"] == project["license"] == "MIT"
    assert facts.get_all("Project-URL") == [f"{name}, {url}" for name, url in project["urls"].items()]
    oldest, newest = (
        int(part.split(".")[1]) for part in project["requires-python"].removeprefix(">=").split(",<")
    )
    supported = [f"Programming Language :: Python :: 3.{minor}" for minor in range(oldest, newest)]
    classifiers = facts.get_all("Classifier") or []
    assert [
        line for line in classifiers if line.startswith("Programming Language :: Python :: 3.")
    ] == supported


def test_objects_introduce_themselves(tmp_path: Path) -> None:
    spec = pm.SimulationSpec(train_clips=40, test_clips=10, seed=3)
    pm.simulate(tmp_path, spec=spec, workers=1)
    data = pm.Dataset(tmp_path, "nano")
    assert repr(data) == (
        f"<Dataset {tmp_path}: 28 training, 12 validation, 10 to predict; 24 species, "
        "15 grey frames of 16x16 (uniform)>"
    )
    model = pm.build_model("lrcn", species=data.class_names, spec=data.spec)
    assert repr(model) == (
        "<Model lrcn: 24 species, 15 grey frames of 16x16 (uniform), 1,187,864 parameters, not trained>"
    )
    model.scores = {"val_loss": 0.25}
    assert repr(pm.Ensemble([[model, model]])) == (
        "<Ensemble of 2 models: 24 species, 15 grey frames of 16x16 (uniform), 1,187,864 parameters, not trained>"
    )
    assert repr(model).endswith("parameters, val_loss 0.25>")
