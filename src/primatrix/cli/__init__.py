"""The command line: parses, calls one function, prints.

Progress goes to stderr, data to stdout or `--out`. Exit 0: all well; 1: finished, but some inputs
failed (each listed with its reason); 2: could not start (one line says what was got, what was
wanted, what to do).
"""

from collections.abc import Callable

from primatrix.cli import (
    calibrate,
    demo,
    downsample,
    evaluate,
    export,
    info,
    neighbours,
    pack,
    predict,
    report,
    scan,
    score,
    simulate,
    train,
)
from primatrix.cli.program import Command, app, main

__all__ = ["app", "main"]

IN_ORDER_OF_WORK: dict[str, tuple[Callable[..., None], ...]] = {
    "Trying it out": (demo.demo, simulate.simulate, info.info),
    "Footage": (scan.scan, downsample.downsample, pack.pack),
    "Learning": (train.train,),
    "Answers": (predict.predict,),
    "Trust": (score.score, calibrate.calibrate, neighbours.neighbours, evaluate.evaluate),
    "Handing on": (report.report, export.export),
}
for heading, commands in IN_ORDER_OF_WORK.items():
    for command in commands:
        app.command(cls=Command, rich_help_panel=heading)(command)
