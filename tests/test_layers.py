"""The house: folders in order, each with a door; imports point down and go through the doors; importing is light."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import primatrix

SOURCE = Path(primatrix.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [
    "choices", "errors", "records", "settings", "memory", "progress", "disk", "video", "footage", "labels", "results",
    "interchange", "measures", "trust", "data", "models", "training", "tagging", "report", "simulation", "demo",
    "cli", "__main__",
]  # fmt: skip
NO_TORCH = FOLDERS[: FOLDERS.index("models")]
MOST_LINES = 400


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a folder's is its `__init__`."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything a file imports from primatrix anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "primatrix":
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith("primatrix."))


def folder_of(path: Path) -> str:
    """The folder a source or test file belongs to, or its own name where it stands beside the folders."""
    return path.parts[0].removesuffix(".py")


def users() -> Iterator[tuple[Path, str]]:
    """Every file that may import from primatrix, and the folder it belongs to ("" for none)."""
    yield from ((path, folder_of(path.relative_to(SOURCE))) for path in MODULES.values())
    yield from ((path, "") for path in sorted((ROOT / "bench").rglob("*.py")))
    yield from ((path, "") for path in sorted((ROOT / "docs").rglob("*.py")))
    tests = ROOT / "tests"
    yield from ((path, folder_of(path.relative_to(tests))) for path in sorted(tests.rglob("*.py")))


def target_of(module: str, name: str) -> str:
    """The folder that an import reaches into; empty for the package itself."""
    parts = [*module.split("."), name][1:]
    return parts[0] if parts[0] in FOLDERS else ""


def test_imports_point_down_the_list_of_folders() -> None:
    for path in MODULES.values():
        folder = folder_of(path.relative_to(SOURCE))
        if folder == "__init__":
            continue
        assert folder in FOLDERS, f"{folder} is not in the list: give it a place here and in CONTRIBUTING.md"
        for module, name in imports_of(path):
            target = target_of(module, name)
            if target and target != folder:
                above = FOLDERS.index(target) > FOLDERS.index(folder)
                assert not above, f"{path} imports {module}.{name}, which is above it"


def test_what_lies_behind_a_door_is_taken_through_it() -> None:
    """From outside a folder only names are imported that its stub hands on; a folder's own tests go inside."""
    past = []
    for path, folder in users():
        for module, name in imports_of(path):
            target = target_of(module, name)
            if not target or not (SOURCE / target).is_dir():
                continue
            through = module == f"primatrix.{target}" and f"{module}.{name}" not in MODULES
            known = through and name in importlib.import_module(module).__all__
            if not known and (through or target != folder):
                past.append(f"{path}: {module}.{name}")
    assert past == []


def test_a_module_takes_only_what_another_hands_on() -> None:
    for path in MODULES.values():
        for module, name in imports_of(path):
            there = MODULES.get(module)
            if there is not None and there.name != "__init__.py" and name:
                names = importlib.import_module(module).__all__
                assert name in names, f"{path}: {name} is not in the __all__ of {module}"


def test_no_module_is_in_a_circle() -> None:
    graph = {
        module: {
            target
            for source, name in imports_of(path)
            for target in (f"{source}.{name}", source)
            if target in MODULES and MODULES[target].name != "__init__.py"
        }
        for module, path in MODULES.items()
        if path.name != "__init__.py"
    }
    while graph:
        free = {module for module, targets in graph.items() if not targets & graph.keys()}
        assert free, f"these import each other: {sorted(graph)}"
        graph = {module: targets for module, targets in graph.items() if module not in free}


@pytest.mark.parametrize("folder", [name for name in FOLDERS if (SOURCE / name).is_dir()])
def test_a_folder_says_in_one_line_what_it_is_for_and_hides_no_name(folder: str) -> None:
    door = importlib.import_module(f"primatrix.{folder}")
    assert door.__doc__
    assert door.__doc__.splitlines()[0].endswith(".")
    assert not set(door.__all__) & {path.stem for path in (SOURCE / folder).glob("*.py")}
    for name in door.__all__:
        assert getattr(door, name) is not None


def test_no_file_is_longer_than_is_read_at_once() -> None:
    paths = [path for folder in ("src", "bench", "tests", "docs") for path in (ROOT / folder).rglob("*.py")]
    long = [str(path) for path in paths if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES]
    assert long == []


def list_rooms() -> dict[str, str]:
    """The map of CONTRIBUTING.md: what it says of each folder, and under "" of the modules beside the folders."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = text[text.index("src/primatrix/\n") : text.index("\ntests/ ")].splitlines()[1:]
    rooms, folder = {"": ""}, ""
    for line in lines:
        if not line.startswith("    "):
            named = re.match(r"  (\w+)/ ", line)
            folder = named[1] if named else ""
        rooms[folder] = rooms.get(folder, "") + line + "\n"
    return rooms


def test_the_map_names_every_module_in_its_folder_and_no_other_folder() -> None:
    rooms = list_rooms()
    modules = [path.relative_to(SOURCE).with_suffix("") for path in MODULES.values() if path.stem[:2] != "__"]
    folders = [m.parent.as_posix().replace(".", "") for m in modules]
    assert set(rooms) == set(folders)
    unnamed = [
        m.as_posix()
        for m, f in zip(modules, folders, strict=True)
        if not re.search(rf"\b{m.name}\b", rooms[f])
    ]
    assert unnamed == []


def test_every_module_has_a_test_file_of_its_own() -> None:
    modules = [path.relative_to(SOURCE).with_suffix("") for path in MODULES.values() if path.stem[:2] != "__"]
    without = [m for m in modules if not (ROOT / "tests" / m.parent / f"test_{m.name}.py").is_file()]
    assert [m.as_posix() for m in without] == []


def test_only_decoding_and_encoding_modules_import_the_codec() -> None:
    users_of_codec = set()
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        if any(n == "av" or n.startswith("av.") for n in names):
            users_of_codec.add(module)
    wanted = ("packets", "pixels", "closeups", "decode", "probe", "encode")
    assert users_of_codec == {f"primatrix.video.{name}" for name in wanted}


def test_importing_is_silent_and_loads_no_torch() -> None:
    lower = [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in (*NO_TORCH, "cli")]
    code = "import sys, primatrix; heavy = {'torch', 'av', 'pandas', 'numpy'} & set(sys.modules)\n"
    code += "assert not heavy, heavy\n"
    code += "".join(f"import {name}\n" for name in lower)
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_public_names_all_resolve_and_hide_no_folder() -> None:
    for name in primatrix.__all__:
        assert getattr(primatrix, name) is not None
    assert primatrix.__all__ == ["__version__", *sorted(primatrix.__all__[1:])]
    assert not set(primatrix.__all__) & set(FOLDERS)


def test_contributing_lists_the_folders_in_their_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = text.partition("src/primatrix/\n")[2].partition("\n```")[0]
    shown = re.findall(r"^  (\w+)/ ", house, re.MULTILINE)
    assert shown[: len([f for f in FOLDERS if (SOURCE / f).is_dir()])] == [
        name for name in FOLDERS if (SOURCE / name).is_dir()
    ]
