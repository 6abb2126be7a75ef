"""Imports point down the path of a clip, and importing is light."""

import ast
import subprocess
import sys
from pathlib import Path

import primatrix

SOURCE = Path(primatrix.__file__).parent
LAYERS = [
    {"errors", "memory", "locks", "loss", "riff"},
    {"records", "species", "settings", "process"},
    {"tables", "calibration", "times"},
    {"taxonomy", "results", "files"},
    {"interchange"},
    {"sample", "sampler", "labels", "packets", "pixels", "encode", "still"},
    {"splits", "metrics", "progress", "decode", "promises", "resampling", "reliability", "ranking"},
    {"sites", "sightings"},
    {"events", "windows"},
    {
        "probe",
        "simulation",
        "workers",
        "scoring",
        "shards",
        "shrinkage",
        "limits",
        "operating",
        "measures",
        "stacking",
    },
    {"fitting", "evaluation"},
    {"figures"},
    {"store", "downsample", "scan", "neighbours", "walk", "report"},
    {"loader", "answers", "findings", "summary"},
    {"dataset"},
    {"background"},
    {"pasting"},
    {"changes"},
    {"checkpoint", "devices", "optimisers", "objective", "augmentation", "averages", "snapshot"},
    {"models", "recipe", "parallel", "calibrator", "verdict"},
    {"keras_weights", "prediction", "streams"},
    {"training"},
    {"folds", "tagging"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
WITHOUT_TORCH = LAYERS[: 1 + next(i for i, layer in enumerate(LAYERS) if "dataset" in layer)]
NO_TORCH = {name for layer in WITHOUT_TORCH for name in layer}


def imported_modules(path: Path) -> set[str]:
    """Names of primatrix modules imported anywhere in a file, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "primatrix":
            parts = (node.module or "").split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("primatrix.")}
    return found - {"__version__"}


def modules() -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        groups.setdefault(name, []).append(path)
    groups.pop("__init__")
    return groups


def test_every_module_has_a_layer_and_imports_only_from_below() -> None:
    level = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    for name, paths in modules().items():
        assert name in level, f"{name}.py is in no layer: give it one here and in CONTRIBUTING.md"
        for path in paths:
            for target in imported_modules(path) - {name}:
                assert level[target] < level[name], f"{path.name} imports {target}, which is not below it"


def test_only_decoding_and_encoding_modules_import_the_codec() -> None:
    users = set()
    for name, paths in modules().items():
        for path in paths:
            tree = ast.parse(path.read_text())
            names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            if any(n == "av" or n.startswith("av.") for n in names):
                users.add(name)
    assert users <= {"packets", "pixels", "decode", "probe", "encode"}


def test_importing_is_silent_and_loads_no_torch() -> None:
    lower = sorted((NO_TORCH & set(modules())) | {"cli"} & set(modules()))
    code = "import sys, primatrix; heavy = {'torch', 'av', 'pandas', 'numpy'} & set(sys.modules)\n"
    code += "assert not heavy, heavy\n"
    code += "".join(f"import primatrix.{name}\n" for name in lower)
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_module_hides_a_public_name() -> None:
    assert not set(primatrix.__all__) & set(modules())


def test_public_names_all_resolve() -> None:
    for name in primatrix.__all__:
        assert getattr(primatrix, name) is not None
    assert primatrix.__all__ == ["__version__", *sorted(primatrix.__all__[1:])]
