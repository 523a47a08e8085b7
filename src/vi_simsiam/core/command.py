"""What the step scripts share: arguments that every job has, and errors a person can read."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from vi_simsiam.core.errors import Problem


def job_arguments(description: str, *paths: str, job: tuple[str, ...] = ("dataset",)) -> argparse.ArgumentParser:
    """An argument parser for one step.

    Args:
        description: first line of `--help`.
        paths: names of required path arguments (`"store"` gives `--store PATH`).
        job: which of dataset, method, seed identify a job of this step.

    The parsed namespace has `params`: the resolved parameters of the job as a dict, from the JSON that the
    rule hands over. Scripts never open params.yaml.
    """
    parser = argparse.ArgumentParser(description=description)
    for name in job:
        parser.add_argument(f"--{name}", required=True, type=int if name == "seed" else str)
    parser.add_argument("--params", required=True, type=_params, metavar="JSON", help="the job's resolved parameters")
    for name in paths:
        parser.add_argument(f"--{name}", required=True, type=Path, metavar="PATH")
    return parser


def _params(text: str) -> dict:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


def run(main: Callable[[], None]) -> None:
    """Call `main`; a `Problem` is printed as one message (no traceback) and becomes exit status 1."""
    try:
        main()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
