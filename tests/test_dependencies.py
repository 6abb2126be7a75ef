"""What is imported is declared in pyproject.toml, and what is declared has its reason beside it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement: str) -> str:
    """The distribution a line of requirements asks for."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def imported_libraries() -> set[str]:
    """Top names of all that src imports from outside, anywhere in a file."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"primatrix"}


def test_every_library_that_is_imported_is_declared() -> None:
    users = [lines for name, lines in EXTRAS.items() if name not in ("dev", "docs", "bench", "notebook")]
    declared = {name_of(line) for lines in (PROJECT["dependencies"], *users) for line in lines}
    owners = packages_distributions()
    for library in sorted(imported_libraries()):
        names = {name.lower().replace("_", "-") for name in owners.get(library, [library])}
        assert names & declared, f"{library}: none of {sorted(names)} is in pyproject.toml"


def test_every_dependency_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = text.partition("[project]")[2].partition("[project.scripts]")[0]
    lines = [line for line in lists.splitlines() if re.match(r'    "[\w-]+(>=|;)', line)]
    assert len(lines) > 30
    assert [line for line in lines if not re.search(r'",\s+# \w', line)] == []


def test_the_extra_dev_brings_every_other() -> None:
    (own,) = [line for line in EXTRAS["dev"] if line.startswith("primatrix[")]
    assert set(own.removeprefix("primatrix[").removesuffix("]").split(",")) == set(EXTRAS) - {"dev"}


def test_constraints_pin_what_is_declared() -> None:
    pinned = {
        name_of(line.split("==")[0])
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    wanted = {name_of(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines}
    assert wanted - pinned == {"primatrix"}
