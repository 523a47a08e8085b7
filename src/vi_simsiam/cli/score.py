"""`vi-simsiam score`: a table of how certain a trained model is about any images."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from vi_simsiam.cli.extremes import Extremes
from vi_simsiam.core.command import write_out
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import check_writable, replacing
from vi_simsiam.core.text import printable, writable
from vi_simsiam.data import left_out
from vi_simsiam.data.left_out import Ignored
from vi_simsiam.models.model import Model, load

SOME_UNREAD = 3  # exit status: the table is there, but not every image is in it
_TOP = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="image files, folders, .zip, .tar, .tar.gz ...")
    parser.add_argument(
        "--run", required=True, type=Path, metavar="FOLDER", help="model: results/pretrain/<dataset>/<method>/seed<k>"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("scores.csv"), metavar="FILE", help="table: .csv or .parquet (%(default)s)"
    )
    parser.add_argument("--top", type=positive, metavar="N", help=f"list the N most uncertain and certain ({_TOP})")
    parser.add_argument("--grid", type=Path, metavar="FILE", help="draw them: .png, .svg or .pdf")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ... (the GPU if there is one)")
    parser.add_argument("--threads", type=positive, help="that decode images (one per core)")


def score(args: argparse.Namespace) -> int:
    """Score `args.images`. Returns: exit status, 0 or `SOME_UNREAD`. Raises: Problem."""
    if args.out.suffix not in (".csv", ".parquet"):
        raise Problem(f"--out {args.out}: name a file that ends in .csv or .parquet.")
    if args.grid is not None and args.grid.suffix not in (".png", ".svg", ".pdf"):
        raise Problem(f"--grid {args.grid}: name a file that ends in .png, .svg or .pdf.")
    for path in filter(None, (args.out, args.grid)):
        check_writable(path)
    if args.grid is not None:
        from vi_simsiam.cli import drawing  # noqa: F401 - seldom asked for, and what it lacks is told at the start
    started = time.monotonic()
    model = opened(args.run, args.device)
    name = model.columns[1]
    stream = model.stream(args.images, args.threads)
    if stream.channels == 1:
        say("the model was trained on grey images: colours are turned to grey")
    extremes = Extremes(name, args.top or _TOP)
    unread = scored = 0

    def report(path: str, problem: str) -> None:
        nonlocal unread
        unread += 1
        say(f"not scored: {path}: {problem}")

    with ExitStack() as stack:
        write = stack.enter_context(table_writer(args.out))
        bar = stack.enter_context(tqdm(unit=" images", disable=not sys.stderr.isatty()))
        for table, pixels in model.scored(stream, report):
            write(table)
            scored += len(table)
            if args.top or args.grid:
                extremes.add(table, pixels)
            bar.update(len(table))
        if not scored:
            raise Problem(f"no image could be scored. {counts(0, unread, stream.ignored)}")
    undrawn = _draw(args.grid, extremes) if args.grid else None
    if args.top:
        _list(extremes)
    if model.training.reliability_warning:
        say(f"warning: {model.training.reliability_warning}")
    seconds = time.monotonic() - started
    say(f"{counts(scored, unread, stream.ignored)} {seconds:.1f} s. {args.out}")
    if undrawn:
        raise Problem(f"--grid {args.grid} could not be drawn: {undrawn}. The table is written.")
    return SOME_UNREAD if unread else 0


def opened(run: Path, device: str | None) -> Model:
    """The model of a folder. Raises: Problem, also for a device that is not there."""
    try:
        return load(run, device)
    except (RuntimeError, AssertionError) as error:  # torch's
        raise Problem(f"--device {device}: {str(error).splitlines()[0]}") from None


class Write(Protocol):
    def __call__(self, table: pd.DataFrame) -> None: ...


@contextmanager
def table_writer(path: Path) -> Iterator[Write]:
    """What appends tables to a file, which appears when all of them are in it."""
    with replacing(path) as temporary, ExitStack() as stack:
        if path.suffix == ".csv":
            file = stack.enter_context(open(temporary, "w", encoding="utf-8", newline=""))
            # Nine digits tell all numbers of 32 bits apart.
            yield lambda table: table.to_csv(
                file, index=False, header=file.tell() == 0, float_format="%.9g", lineterminator="\n"
            )
            return
        writer: list[pq.ParquetWriter] = []

        def write(table: pd.DataFrame) -> None:
            rows = pa.Table.from_pandas(table, preserve_index=False)
            if not writer:
                writer.append(stack.enter_context(pq.ParquetWriter(temporary, rows.schema)))
            writer[0].write_table(rows)

        yield write


def _draw(path: Path, extremes: Extremes) -> str | None:
    """Draw the picture. Returns: why there is none, whatever the reason: the table is worth more."""
    from vi_simsiam.cli import drawing  # slow to import, and seldom asked for
    from vi_simsiam.report.figures import style

    try:
        with style.drawing_style():
            style.save(drawing.extremes(extremes.lowest(), extremes.highest(), extremes.score), path)
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def _list(extremes: Extremes) -> None:
    lines = []
    for title, (table, _) in (("most uncertain", extremes.lowest()), ("most certain", extremes.highest())):
        if table.empty:
            continue
        lines.append(f"{title}:\n{extremes.score:>20}  percentile  path")
        for row in table.to_dict("records"):
            lines.append(f"{row[extremes.score]:>20.6g}  {row['percentile']:>10.2f}  {one_line(row['path'])}")
    write_out("\n".join(lines))


def counts(scored: int, unread: int, ignored: Ignored) -> str:
    """The sentence that counts images scored, files not read, and files ignored by kind."""
    text = f"{scored} images scored, {unread} could not be read"
    return f"{text}; {left_out.counts(ignored)}." if ignored else f"{text}."


def say(line: str) -> None:
    """A line on the terminal, above a progress bar if there is one. A reader that goes away does not end the work."""
    with suppress(BrokenPipeError):
        tqdm.write(one_line(line), file=sys.stderr)


def one_line(text: str) -> str:
    """Names of files come from anywhere: a terminal must not take them for commands."""
    return printable(writable(text))


def positive(text: str) -> int:
    """An argument that is a number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
