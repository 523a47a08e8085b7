"""What commands share: arguments that every job has, output that never ends the work, errors a person can read."""

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import printable


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


_NOTE = "note: "


def note(sentence: str) -> None:
    """Write a line to a job's log that the run repeats on the terminal."""
    print(f"{_NOTE}{sentence}", flush=True)


def notes(log: Path) -> list[str]:
    """The notes in a job's log, as a terminal may have them."""
    if not log.is_file():
        return []
    text = log.read_text(encoding="utf-8", errors="replace")
    return [printable(line.removeprefix(_NOTE)) for line in text.split("\n") if line.startswith(_NOTE)]


class _LastingOutput:
    """A stream that may be closed by its reader (`| head`): the rest then goes nowhere.

    So it does on any other error, which `lost` holds: the command is to tell it when its work is done.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, call: Callable[..., Any], *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            if not isinstance(error, BrokenPipeError):
                self.lost = error


def keep_work_from_output() -> None:
    """Let the work go on when the reader of what it prints ends, and when a terminal lacks a letter, shown by its code.

    Output that nobody reads from the start (`>&-`) goes nowhere. May be called again.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif not isinstance(stream, _LastingOutput):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, _LastingOutput(stream))


def run(main: Callable[[], None]) -> None:
    """Call `main`; a `Problem` is printed as one message (no traceback) and becomes exit status 1."""
    keep_work_from_output()
    try:
        try:
            main()
        finally:
            gc.freeze()  # or Python, when it ends, goes through all objects of torch and pandas: .8 s of a job of 6
            sys.stdout.flush()
            if lost := getattr(sys.stdout, "lost", None):
                raise Problem(f"what the command says cannot be written: {lost.strerror}") from None
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
