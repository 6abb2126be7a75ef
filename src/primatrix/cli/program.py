"""The program itself: its name, its help, how an error becomes one line, and how it ends."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import primatrix
from primatrix.cli.stopping import Stopped, describe_stop, hearing_signals
from primatrix.errors import PrimatrixError

__all__ = ["Command", "app", "finish", "main", "stop", "tell"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EPERM)
NO_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)  # a file where a folder should be


class Command(TyperCommand):
    """A command whose options stand under the headings that their `rich_help_panel` names.

    Typer draws such panels as boxes, which at 80 columns cut the names of options and leave a third of a line for help.
    """

    def format_options(
        self, ctx: Any, formatter: Any
    ) -> None:  # Any: of click, which Typer brings as its own
        """Write arguments and options, heading by heading."""
        write_parameters(self, ctx, formatter)


class Program(TyperGroup):
    """The program, whose commands stand under headings in the order of work."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # Any: as above
        """Write options, then commands."""
        write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Any: as above
        """Write the first line about every command, heading by heading."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)  # Any: as above
            rows.setdefault(command.rich_help_panel, []).append((name, command.help.splitlines()[0]))
        write_rows(rows, formatter)


def write_parameters(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:  # Any: as above
    """Write arguments, then options by heading in the order in which they are first named."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        heading = "Arguments" if parameter.param_type_name == "argument" else "Options"
        record = parameter.get_help_record(ctx)
        if record:
            rows.setdefault(getattr(parameter, "rich_help_panel", None) or heading, []).append(record)
    write_rows(rows, formatter)


def write_rows(rows: dict[str, list[tuple[str, str]]], formatter: Any) -> None:  # Any: as above
    """Write lists of names and meanings under their headings."""
    for heading, records in rows.items():
        with formatter.section(heading):
            formatter.write_dl(records)


app = typer.Typer(
    name="primatrix",
    cls=Program,
    help="Tags the species in camera-trap video.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def say_version(asked: bool) -> None:
    """Print the version and end, where it is asked for."""
    if asked:
        typer.echo(f"primatrix {primatrix.__version__}")
        raise typer.Exit


@app.callback()
def take_options(
    version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Take the options of the program itself."""
    del version  # said by its callback


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr and exit code 2.

    A signal that asks for an end becomes one line too, and 128 more than its number as exit code (Ctrl-C: 130).
    """
    # Before torch loads: threads that spin while they wait take the cores from the decoding processes
    # (prediction beside two busy processes: 65-143 clips/s spinning, 353-365 passive, on 2 cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    set_encoding()
    with hearing_signals():
        try:
            app()
        except PrimatrixError as error:
            stop(str(error))
        except OSError as error:
            stop(explain_place(error))
        except Stopped as stopped:
            tell(describe_stop(sys.argv[1:]))
            sys.exit(stopped.exit_code)


def explain_place(error: OSError) -> str:
    """One line about a disk without room and a place that cannot be; other errors are raised again."""
    if error.errno in NO_ROOM:
        wanted = "make room or choose another place, then run again"
    elif error.errno in NO_PLACE:
        wanted = "choose another place, then run again"
    else:
        raise error
    return f"{error.filename or 'disk'}: {error.strerror}; {wanted}"


def set_encoding() -> None:
    """Files and pipes get UTF-8, which Windows would not give them; what a terminal cannot show is escaped.

    Else the name of a file in another script would stop a command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_free = not stream.isatty() and "PYTHONIOENCODING" not in os.environ
            stream.reconfigure(encoding="utf-8" if is_free else None, errors="backslashreplace")


def tell(message: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(f"primatrix: {message}\n")


def stop(message: str) -> None:
    """One line on stderr, then exit code 2."""
    tell(" ".join(message.split()))
    sys.exit(2)


def finish(failures: int, listed_in: Path | None = None) -> None:
    """Exit 1 where inputs failed, after saying how many and where they are listed."""
    if failures:
        tell(
            f"{failures} clip{'s' * (failures != 1)} could not be read"
            + (f"; see {listed_in}" if listed_in else "")
        )
        raise typer.Exit(1)
