"""The documentation: its examples run, its site builds strictly and asks for nothing outside."""

import doctest
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from primatrix.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TOO_LONG = {"demo"}  # tests/cli/test_demo.py runs it
DONE_HERE = {"benchmark.md", "footage.md", "folds.md"}  # they work on what they simulate first


def steps_of(page: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """The console and Python blocks of a page in its order: source, and the words of each `$ primatrix …` line."""
    for kind, block in re.findall(
        r"```(console|python)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    ):
        lines = [line.removeprefix("$ ") for line in block.splitlines()] if kind == "console" else []
        yield (
            block if kind == "python" else "",
            [shlex.split(line)[1:] for line in lines if line.startswith("primatrix ")],
        )


def commands_of(page: Path) -> list[list[str]]:
    """The words of each command of a page."""
    return [words for _, commands in steps_of(page) for words in commands]


@pytest.mark.parametrize("name", sorted(DONE_HERE))
def test_what_a_page_shows_runs_in_its_order(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(commands_of(ROOT / "docs" / name)) > 3
    names: dict[str, object] = {}
    for source, commands in steps_of(ROOT / "docs" / name):
        exec(compile(source, name, "exec"), names)
        for words in commands:
            done = CliRunner().invoke(app, [*words, "--quiet"])
            assert done.exit_code == 0, f"{words}: {done.output} {done.exception}"


def test_the_commands_of_other_pages_are_known() -> None:
    known = {info.callback.__name__ for info in app.registered_commands if info.callback}
    for page in PAGES:
        for words in commands_of(page):
            assert words[0] in known, f"{page.name}: primatrix {words[0]}"
            if page.name not in DONE_HERE and words[0] not in TOO_LONG:
                assert CliRunner().invoke(app, words).exit_code == 0, f"{page.name}: {words}"


def test_the_install_page_names_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    shown = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(extras)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_give_what_it_says(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(
        r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    )  # a fence ends an example
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed = doctest.DocTestRunner(optionflags=flags).run(test).failed
    assert not failed, capsys.readouterr().out


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly; skipped where what builds it is not installed."""
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_has_every_command_and_every_public_name(site: Path) -> None:
    import primatrix

    commands = (site / "commands.html").read_text()
    for info in app.registered_commands:
        assert info.callback is not None
        assert f'<h2 id="{info.callback.__name__}">' in commands
    library = (site / "api.html").read_text()
    missing = [
        name for name in primatrix.__all__[1:] if not re.search(rf'id="primatrix\.[\w.]*\b{name}"', library)
    ]
    assert not missing


def test_the_site_asks_for_nothing_outside(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe|source)[^>]*src="(?:https?:)?//', text), page.name
        assert not re.findall(r'<link[^>]*href="(?:https?:)?//', text), page.name


def test_a_browser_that_opens_the_site_asks_for_nothing_outside(
    site: Path, browse: Callable[[Path], tuple[Path, set[str]]]
) -> None:
    for name in ("index.html", "api.html"):
        asked = {url for url in browse(site / name)[1] if not url.startswith(("data:", "blob:"))}
        assert not asked, name
