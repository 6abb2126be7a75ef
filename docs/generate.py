"""Pages made while the site is built: every command from Typer, every public name from its docstring.

A hook of MkDocs (`mkdocs.yml`) and an extension of Griffe, which reads the docstrings.
"""

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import primatrix
from primatrix.cli import app

EXAMPLE = re.compile(r"^Example: (.*)$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of docs/."""
    for name, text in (("commands.md", describe_commands()), ("api.md", describe_api())):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # Any: what MkDocs passes besides
    """Name files outside docs/ without a link: they are in the checkout, not on the site."""
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"`\1`", markdown)


def describe_commands() -> str:
    """Every command with its help, example, arguments and options."""
    parts = [
        "# The command line",
        "Progress goes to stderr, data to stdout or `--out`. The same command again goes on where it stopped. Exit "
        "code 0: all well; 1: finished, but some inputs failed, each listed with its reason; 2: could not start, and "
        "one line says what was got, what was wanted and what to do. `primatrix --install-completion` lets the shell "
        "complete commands, options and their words.",
        list_commands(),
    ]
    functions = [info.callback for info in app.registered_commands if info.callback]
    parts += [describe_command(function) for function in functions]
    return "\n\n".join(parts) + "\n"


def list_commands() -> str:
    """A line of links for each heading of the program's help, in the order of work."""
    links: dict[str, list[str]] = {}
    for info in app.registered_commands:
        if info.callback:
            name = info.callback.__name__
            links.setdefault(str(info.rich_help_panel), []).append(f"[{name}](#{name})")
    return "\n".join(f"* {heading}: {', '.join(names)}" for heading, names in links.items())


def describe_command(function: Callable[..., object]) -> str:
    """One command as Markdown."""
    help_text = inspect.getdoc(function) or ""
    parts = [f"## {function.__name__}", EXAMPLE.sub("", help_text).strip()]
    parts += [f"```console\n$ {example}\n```" for example in EXAMPLE.findall(help_text)]
    rows: dict[str, list[str]] = {"": []}  # by heading
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        heading = get_args(parameter.annotation)[1].rich_help_panel or ""
        rows.setdefault(heading, []).append(describe_parameter(parameter))
    table = ["| name | meaning | default |", "|---|---|---|"]
    for heading, of_heading in rows.items():
        table += ([f"| **{heading}** | | |"] if heading else []) + of_heading
    return "\n\n".join([*parts, "\n".join(table)])


def describe_parameter(parameter: inspect.Parameter) -> str:
    """A row of the table: names and type, meaning, default."""
    kind, about = get_args(parameter.annotation)[:2]
    names = [f"--{parameter.name.replace('_', '-')}"]
    declared = [word for word in (about.default, *(about.param_decls or ())) if str(word).startswith("-")]
    if isinstance(about, typer.models.ArgumentInfo):
        names = [parameter.name.upper()]
    elif declared:
        names = declared
    default = (
        ""
        if parameter.default is None or parameter.default is False or parameter.default == ""
        else f"`{parameter.default}`"
    )
    if parameter.default is inspect.Parameter.empty:
        default = "required"
    shown = ", ".join(f"`{name}`" for name in names)
    metavar = about.metavar if isinstance(about, typer.models.OptionInfo) else None
    return f"| {shown} {metavar or describe_type(kind)} | {about.help or ''} | {default} |"


def describe_type(kind: Any) -> str:  # Any: whatever a parameter may be annotated with
    """The words to choose from, or what kind of thing is wanted.

    >>> describe_type(int | None), describe_type(Literal["a", "b"])
    ('number', 'a \\\\| b')
    """
    kinds = [part for part in get_args(kind) or (kind,) if part is not type(None)]
    if get_origin(kind) is Literal:
        return " \\| ".join(map(str, kinds))
    if len(kinds) == 1 and kinds[0] is not kind:
        return describe_type(kinds[0])
    return {int: "number", float: "number", str: "text", Path: "path"}.get(kinds[0], "")


def describe_api() -> str:
    """Every public name, grouped by the folder it comes from."""
    parts = [
        "# The library",
        "`import primatrix as pm` brings all of these, each loaded when it is first used; importing is silent and does "
        "not load torch.",
    ]
    for folder, names in list_homes().items():
        about = inspect.getdoc(importlib.import_module(f"primatrix.{folder}")) or ""
        parts.append(f"## {folder}\n\n{about.splitlines()[0]}")
        for name in sorted(names):
            module = str(getattr(getattr(primatrix, name), "__module__", ""))
            parts.append(f"::: {module if module.startswith('primatrix') else f'primatrix.{folder}'}.{name}")
    return "\n\n".join(parts) + "\n"


def list_homes() -> dict[str, list[str]]:
    """The public names of each folder, as the package's stub hands them on."""
    stub = Path(primatrix.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    homes: dict[str, list[str]] = {}
    for folder, name in re.findall(r"^from \.(\w+) import (\w+) as", stub, re.MULTILINE):
        homes.setdefault(folder, []).append(name)
    return homes


class DoctestFences(griffe.Extension):
    """Puts doctests into fences, so that Markdown does not take `>>>` for quotations."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:  # Any: what Griffe passes besides
        """Change an object's docstring before it is rendered."""
        if obj.docstring:
            obj.docstring.value = fence_doctests(inspect.cleandoc(obj.docstring.value))


def fence_doctests(text: str) -> str:
    """The text with a fence around every run of doctest lines.

    >>> fence_doctests("Adds.\\n\\n>>> 1 + 1\\n2").splitlines()[2]
    '```pycon'
    """
    blocks = re.split(r"\n\s*\n", text)
    return "\n\n".join(
        f"```pycon\n{textwrap.dedent(block)}\n```" if block.lstrip().startswith(">>>") else block
        for block in blocks
    )
