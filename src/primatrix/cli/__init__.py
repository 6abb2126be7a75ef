"""The command line: parses, calls one function, prints.

Progress goes to stderr, data to stdout or `--out`. Exit 0: all well; 1: finished, but some inputs
failed (each listed with its reason); 2: could not start (one line says what was got, what was
wanted, what to do).
"""

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
from primatrix.cli.program import app, main
from primatrix.cli.progress import ProgressDisplay

__all__ = ["ProgressDisplay", "app", "main"]

IN_ORDER_OF_WORK = (
    demo.demo,
    simulate.simulate,
    scan.scan,
    downsample.downsample,
    pack.pack,
    train.train,
    predict.predict,
    neighbours.neighbours,
    score.score,
    calibrate.calibrate,
    evaluate.evaluate,
    report.report,
    export.export,
    info.info,
)
for command in IN_ORDER_OF_WORK:
    app.command()(command)
