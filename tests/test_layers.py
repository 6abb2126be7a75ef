"""Imports point down the list of folders, and importing is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import primatrix

SOURCE = Path(primatrix.__file__).parent
FOLDERS = [
    "errors", "records", "settings", "memory", "disk", "video", "footage", "labels", "results", "interchange",
    "measures", "trust", "data", "models", "training", "tagging", "report", "simulation", "demo", "cli", "__main__",
]  # fmt: skip
NO_TORCH = [name for name in FOLDERS[: FOLDERS.index("models")] if name != "trust"]
STILL_UPWARD = {  # to be mended
    ("labels", "interchange"),
    ("trust", "models"),
    ("video", "labels"),
}


def imported_folders(path: Path) -> set[str]:
    """Folders (or modules beside them) that a file imports from anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "primatrix":
            parts = (node.module or "").split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("primatrix.")}
    return found - {"__version__"}


def files() -> Iterator[tuple[str, Path]]:
    """Every source file with the folder it lies in."""
    for path in sorted(SOURCE.rglob("*.py")):
        folder = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if folder != "__init__":
            yield folder, path


def test_imports_point_down_the_list_of_folders() -> None:
    for folder, path in files():
        assert folder in FOLDERS, f"{folder} is not in the list: give it a place here and in CONTRIBUTING.md"
        for target in imported_folders(path) - {folder}:
            is_below = FOLDERS.index(target) < FOLDERS.index(folder)
            assert is_below or (folder, target) in STILL_UPWARD, (
                f"{path} imports {target}, which is not below"
            )


def test_only_decoding_and_encoding_modules_import_the_codec() -> None:
    users = set()
    for _, path in files():
        tree = ast.parse(path.read_text())
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        if any(n == "av" or n.startswith("av.") for n in names):
            users.add(path.relative_to(SOURCE).as_posix())
    assert users == {f"video/{name}.py" for name in ("packets", "pixels", "decode", "probe", "encode")}


def test_importing_is_silent_and_loads_no_torch() -> None:
    lower = [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for folder, path in files()
             if folder in (*NO_TORCH, "cli")]  # fmt: skip
    code = "import sys, primatrix; heavy = {'torch', 'av', 'pandas', 'numpy'} & set(sys.modules)\n"
    code += "assert not heavy, heavy\n"
    code += "".join(f"import {name}\n" for name in lower)
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_folder_hides_a_public_name() -> None:
    assert not set(primatrix.__all__) & {folder for folder, _ in files()}


def test_public_names_all_resolve() -> None:
    for name in primatrix.__all__:
        assert getattr(primatrix, name) is not None
    assert primatrix.__all__ == ["__version__", *sorted(primatrix.__all__[1:])]
