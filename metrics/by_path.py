"""Runs each metric's file as a program: python metrics/frechet_inception_distance.py --network RUN."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the checkout must be importable, not this folder


def run(name: str, description: str) -> None:
    """Runs the program of a metric's file; `name` is the metric where the command line names none."""
    from metrics import program

    sys.exit(program.run(name, description))
