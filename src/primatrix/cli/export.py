"""The command `export`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.choices import Format
from primatrix.cli.options import ABOUT_DEPLOYMENTS, ForSpreadsheet, Quiet
from primatrix.cli.program import tell
from primatrix.errors import InputError

__all__ = ["export"]

CAMTRAP, CHECKING = "Camtrap DP", "Checking"


def export(
    results: Annotated[
        Path | None,
        typer.Argument(metavar="RESULTS", help="The folder that `predict` wrote; not with --check."),
    ] = None,
    to: Annotated[Format, typer.Option(help="Format to write.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write; for camtrap-dp, a folder.")] = None,
    taxonomy: Annotated[
        Path | None,
        typer.Option(help="CSV of scientific names per label, as --copy-taxonomy writes it."),
    ] = None,
    copy_taxonomy: Annotated[
        Path | None,
        typer.Option(help="Write the names used now to this CSV, to edit; no more."),
    ] = None,
    for_spreadsheet: ForSpreadsheet = False,
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
    deployments: Annotated[
        Path | None,
        typer.Option(help=ABOUT_DEPLOYMENTS, rich_help_panel=CAMTRAP),
    ] = None,
    project: Annotated[
        Path | None, typer.Option(help="JSON or YAML about the project.", rich_help_panel=CAMTRAP)
    ] = None,
    timezone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="Of times that have none, as Africa/Abidjan or +01:00.",
            rich_help_panel=CAMTRAP,
        ),
    ] = "",
    skip_undated: Annotated[
        bool,
        typer.Option(
            "--skip-undated", help="Leave out clips without a time of recording.", rich_help_panel=CAMTRAP
        ),
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(help="Say what is wrong with this file or folder.", rich_help_panel=CHECKING),
    ] = None,
    schemas: Annotated[
        Path | None,
        typer.Option(help="Folder with Camtrap DP's published schemas.", rich_help_panel=CHECKING),
    ] = None,
) -> None:
    """Write answers for other programs, or check a file against its format's rules.

    Example: primatrix export results --to camtrap-dp --out package --deployments deployments.csv --project project.json
    """
    if check:
        check_file(check, schemas)
        return
    if copy_taxonomy:
        from primatrix.interchange import copy_taxonomy as copy_table

        typer.echo(f"{copy_table(copy_taxonomy)}: the names used now; edit it and give it as --taxonomy")
        return
    if results is None or out is None:
        raise InputError("export: got no " + ("RESULTS" if results is None else "--out") + "; wanted the folder that "
                         "`predict` wrote and --out, or --check FILE or --copy-taxonomy FILE")  # fmt: skip
    from primatrix.interchange import ExportOptions, export_results, read_taxonomy

    if taxonomy and not taxonomy.exists():
        raise InputError(
            f"{taxonomy}: no such file; check the name, or write one with --copy-taxonomy {taxonomy}"
        )
    options = ExportOptions(
        read_taxonomy(taxonomy), deployments, project, timezone, skip_undated, for_spreadsheet
    )
    run = export_results(results, to, out, options=options)
    typer.echo(run.summary())
    if run.left_out:
        raise typer.Exit(1)


def check_file(path: Path, schemas: Path | None) -> None:
    """Print what is wrong, a line each; exit 1 where anything is."""
    from primatrix.interchange import ask_frictionless, check_export, find_format, has_frictionless

    kind, judges = find_format(path), "primatrix' own checks"
    problems = check_export(path, outside=False)
    if kind == "camtrap-dp" and has_frictionless():
        try:
            problems += ask_frictionless(path, schemas=schemas)
            judges += " and frictionless"
        except InputError as error:  # offline: the own checks still hold
            tell(str(error))
    for problem in problems:
        typer.echo(problem)
    if problems:
        tell(f"{path}: {kind} with {len(problems)} problem{'s' * (len(problems) > 1)}")
        raise typer.Exit(1)
    typer.echo(f"{path}: valid {kind}, by {judges}")
