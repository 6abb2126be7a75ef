"""The command line: parses, calls one function, prints.

Progress goes to stderr, data to stdout or `--out`. Exit 0: all well; 1: finished, but some inputs
failed (each listed with its reason); 2: could not start (one line says what was got, what was
wanted, what to do).
"""

from primatrix.cli import exchange, footage, learning, reporting, results, trust
from primatrix.cli.app import app, main

__all__ = ["app", "exchange", "footage", "learning", "main", "reporting", "results", "trust"]
