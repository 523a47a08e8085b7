"""Parts of every command: arguments of jobs, notes and other output, readable errors."""

import argparse
import gc
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from vi_simsiam.core import environment, processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import printable


def job_arguments(description: str, *paths: str, job: tuple[str, ...] = ("dataset",)) -> argparse.ArgumentParser:
    """An argument parser for one step.

    Args:
        description: first line of `--help`.
        paths: names of required path arguments (`"store"` gives `--store PATH`).
        job: which of dataset, method, seed identify a job of this step.

    The parsed namespace has `params`: the job's resolved parameters as a dict, from the JSON that the rule passes.
    Scripts never open params.yaml.
    """
    parser = argparse.ArgumentParser(description=description)
    for name in job:
        parser.add_argument(f"--{name}", required=True, type=int if name == "seed" else str)
    parser.add_argument("--params", required=True, type=json.loads, metavar="JSON", help="the job's parameters")
    for name in paths:
        parser.add_argument(f"--{name}", required=True, type=Path, metavar="PATH")
    return parser


_NOTE = "note: "
# Errors of torch about a GPU, by a part of their text, and advice for each.
_OF_GPUS = {
    "no kernel image is available": "the installed torch does not support this GPU. Install a torch that does "
    "(https://pytorch.org), or use the CPU: set CUDA_VISIBLE_DEVICES to nothing (`CUDA_VISIBLE_DEVICES= ...`).",
    "out of memory": "the GPU's memory is not enough, or other programs use it (`nvidia-smi` shows them). Lower "
    "pretrain.batch_size, cache_views.size or pretrain.backbone.width, or give --device cpu to score and rank.",
}


def note(sentence: str) -> None:
    """Write a line to a job's log that the run repeats on the terminal."""
    print(f"{_NOTE}{sentence}", flush=True)


def notes(log: Path) -> list[str]:
    """Return the notes in a job's log; characters that a terminal would obey are shown by their codes."""
    if not log.is_file():
        return []
    text = log.read_text(encoding="utf-8", errors="replace")
    return [printable(line.removeprefix(_NOTE)) for line in text.split("\n") if line.startswith(_NOTE)]


def write_out(text: str) -> None:
    """Print a text. When a reader such as `head` closes the pipe, the rest is lost and the work goes on.

    Raises: Problem when the text cannot be written for another reason, e.g. a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
    except OSError as error:
        raise Problem(f"the output cannot be written: {error.strerror}.") from None


def show_missing_letters() -> None:
    """Let stdout write the code of a letter that its encoding lacks, as stderr does; by default it raises."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # it is None where stdout is closed
        sys.stdout.reconfigure(errors="backslashreplace")


def run(main: Callable[[], None]) -> None:
    """Call `main`; a `Problem`, or an error of `_OF_GPUS`, is printed as one message and becomes exit status 1.

    In a job of a run, the job holds the run's lock and ends with the run (`processes.join_run`).
    """
    show_missing_letters()
    processes.join_run()
    try:
        environment.check()
        main()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
    except RuntimeError as error:
        advice = next((advice for part, advice in _OF_GPUS.items() if part in str(error)), None)
        if advice is None:
            raise
        print(f"error: {advice} ({str(error).splitlines()[0].partition(' GPU ')[0]})", file=sys.stderr)
        sys.exit(1)
    finally:
        gc.freeze()  # or Python visits all objects of torch and pandas when it ends: .8 s of a job of 6 s
