"""`vi-simsiam score`: write a table of how certain a trained model is of each image."""

import argparse
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from vi_simsiam.cli.journal import Journal, journal
from vi_simsiam.core import record
from vi_simsiam.core.command import write_out
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import check_writable, replacing, write_csv
from vi_simsiam.core.text import printable, writable
from vi_simsiam.data import left_out
from vi_simsiam.data.left_out import Ignored
from vi_simsiam.data.reader import Contents, ImageReader, without_page
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.models.known import UNLIKE
from vi_simsiam.models.model import DENSITY, Model, load
from vi_simsiam.nn.inference import PACKAGES
from vi_simsiam.stats.intervals import wilson

SOME_UNREAD = 3  # exit status: the table is written, but some images could not be read
_TOP = 50  # images drawn on each side without --top

Sides = tuple[pd.DataFrame, pd.DataFrame]  # rows of lowest and of highest score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="image files, folders, .zip, .tar, .tar.gz ...")
    parser.add_argument(
        "--run", required=True, type=Path, metavar="FOLDER",
        help="a trained model: results/pretrain/<dataset>/<method>/seed<k>, or folder `model` of a ranking",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("scores.csv"), metavar="FILE", help="table: .csv or .parquet (%(default)s)"
    )
    add_pages(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier table or picture, or rows of another command"
    )
    parser.add_argument("--top", type=positive, metavar="N", help="list the N most uncertain and N most certain images")
    parser.add_argument(
        "--grid", type=Path, metavar="FILE", help=f"draw these ({_TOP} each without --top): .png, .svg or .pdf"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ... (the GPU if there is one)")
    parser.add_argument("--threads", type=positive, help="CPU threads that decode images (one per core)")


def add_pages(parser: argparse.ArgumentParser) -> None:
    """Add option --pages, which `score` and `rank` share."""
    parser.add_argument(
        "--pages", choices=("first", "all"), default="first",
        help="pages of a TIFF, frames of an animation: the first alone, or each as an image (%(default)s)",
    )  # fmt: skip


def pages_sentence(pages: pd.Series, done: str) -> str:
    """Say that only the first page of some files is used.

    Args:
        pages: number of pages by path, at least one file.
        done: with the first page of each, such as "scored".
    """
    files = "1 file has" if len(pages) == 1 else f"{len(pages)} files have"
    most = f"{pages.idxmax()}{' the most' * (len(pages) > 1)}, {pages.max()}"
    return f"{files} several pages or frames ({most}). Only the first is {done}; --pages all takes each as an image."


def few_bits_sentence(bits: int) -> str:
    """Warning for images whose 16-bit numbers use only `bits` bits."""
    return f"16-bit images use only {bits} bits, so they are almost black here."


def score(args: argparse.Namespace) -> int:
    """Score `args.images` and write the table.

    Returns: exit status, 0 or `SOME_UNREAD`. Raises: Problem for wrong arguments, or if no image can be scored.
    """
    if args.out.suffix not in (".csv", ".parquet"):
        raise Problem(f"--out {args.out}: name a file that ends in .csv or .parquet.")
    if args.grid is not None and args.grid.suffix not in (".png", ".svg", ".pdf"):
        raise Problem(f"--grid {args.grid}: name a file that ends in .png, .svg or .pdf.")
    for option, path in (("--out", args.out), ("--grid", args.grid)):
        if path is None:
            continue
        check_writable(path)
        _check_new(option, path, args.overwrite)
    if args.grid is not None:
        from vi_simsiam.cli import drawing  # noqa: F401 - slow and seldom used; imported early so that it fails early
    started = time.monotonic()
    model = load(args.run, named_device(args.device))
    by = model.scores[0]
    if model.network.frozen:
        model.network.speed_up_encoder()  # as `rank` does
    stream = model.stream(args.images, args.threads, args.pages == "all")
    if stream.channels == 1:
        say("note: the model was trained on grey images, so colours are converted to grey")
    with journal(args.out, _made_of(args, model), args.overwrite) as progress:
        _check_new("--out", args.out, args.overwrite)  # another command may have ended since
        stream.written = [path for path in (args.out, args.grid, progress.path) if path is not None]
        try:
            _score(model, stream, progress)
        except KeyboardInterrupt:
            say(f"{progress.path} keeps what was scored; the same command goes on from there")
            raise
        unread = len(progress.unread)
        if not progress.tables:
            raise Problem(f"no image could be scored. {counts(0, unread, stream.ignored)}")
        table = pd.concat(progress.tables, ignore_index=True)
        write_table(table, args.out)
    scored, sides = len(table), extremes(table, by, args.top or _TOP)
    if args.top:
        _list(sides, by)
    if stream.several_pages:
        say(pages_sentence(pd.Series(stream.several_pages), "scored"))
    if (bits := stream.few_bits) is not None:
        say(f"note: {few_bits_sentence(bits)} The model was trained with a depth of {stream.depth}.")
    if model.training.reliability_warning:
        say(f"warning: {model.training.reliability_warning}")
    if model.known is None:
        say("no column knn_density: this model, of an earlier version, has no features of its training images")
    elif wilson(unlike := table[DENSITY] < model.known.threshold).ci_low > UNLIKE:  # more than of the training images
        say(
            f"{unlike.sum()} of {scored} images are unlike anything this model was trained on (knn_density below "
            f"{model.known.threshold:.3f}, as for {UNLIKE:.0%} of its training images)"
        )
    seconds = time.monotonic() - started
    say(f"{counts(scored, unread, stream.ignored)} {seconds:.1f} s. {args.out}")
    if args.grid:
        _draw(args, model, sides, by)
    return SOME_UNREAD if unread else 0


def _check_new(option: str, path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise Problem(f"{path} exists: name another {option}, or add --overwrite to replace it.")


def _made_of(args: argparse.Namespace, model: Model) -> dict[str, Any]:
    """All that the table's rows depend on, except the contents of the images."""
    return {
        "model": record.read(args.run)["outputs"],
        "images": [writable(path) for path in args.images],
        "folder": writable(Path.cwd()),
        "pages": args.pages,
        "device": next(model.network.parameters()).device.type,
        "versions": record.versions() | record.versions(*PACKAGES),
    }


def _score(model: Model, stream: ImageReader, progress: Journal) -> None:
    """Score the images that the journal lacks and add them to it, batch by batch."""
    unread: list[tuple[str, str]] = []

    def keep(table: pd.DataFrame) -> None:
        progress.add(table, unread)
        tell(unread)
        unread.clear()

    with tqdm(unit=" images", disable=not sys.stderr.isatty()) as bar:
        bar.update(_resume(stream, progress))
        for table, _ in model.scored(stream, lambda path, problem: unread.append((path, problem))):
            keep(table)
            bar.update(len(table))
        if unread:
            keep(pd.DataFrame())


def _resume(stream: ImageReader, progress: Journal) -> int:
    """Let the stream skip the images in the journal. Returns: how many of them were scored.

    Raises: Problem if images were added or removed before the place of the interruption.
    """
    scored = [path for table in progress.tables for path in table["path"]]
    paths = scored + [path for path, _ in progress.unread]
    if not paths:
        return 0
    stream.count()  # lists the files, once
    if sorted(file.path for file in islice(stream.files(), len(paths))) != sorted(paths):
        raise Problem(
            "the files are not those of the interrupted command: some were added or removed before the place where it "
            f"stopped. Delete {progress.path} to score all again."
        )
    stream.skipped = len(paths)
    say(f"{len(scored)} images were scored before the interruption")
    tell(progress.unread)
    return len(scored)


def tell(unread: Iterable[tuple[str, str]], done: str = "scored", most: int | None = None) -> int:
    """Print the images that cannot be read, a line for each file.

    Args:
        done: with images that can be read.
        most: number of files; None: all.

    Returns: the number of lines.
    """
    lines = of_files(unread)[:most]
    for line in lines:
        say(f"not {done}: {line}")
    return len(lines)


def of_files(unread: Iterable[tuple[str, str]]) -> list[str]:
    """Lines about images that cannot be read, from path and reason; pages of one file with one reason are one line."""
    lines = []
    for (file, problem), pages in groupby(unread, lambda item: (without_page(item[0]), item[1])):
        paths = [path for path, _ in pages]
        if len(paths) > 1 and file not in paths:
            lines.append(f"{file} ({len(paths)} pages): {problem}")
        else:
            lines += [f"{path}: {problem}" for path in paths]
    return lines


def named_device(name: str | None) -> torch.device:
    """The named device, or the best one. Raises: Problem for a device that is missing."""
    try:
        device = best_device() if name is None else torch.device(name)
        torch.empty(0, device=device)
        return device
    except (RuntimeError, AssertionError) as error:
        if name is None:
            raise  # of a GPU that is full or too new, which `command.run` explains
        raise Problem(f"--device {name}: {str(error).splitlines()[0]}") from None


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a .csv or .parquet. The file appears when it is whole."""
    if path.suffix == ".csv":
        write_csv(path, table, 9)  # which distinguish all float32
        return
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def extremes(table: pd.DataFrame, score: str, count: int) -> Sides:
    """Rows of the `count` lowest scores, and of the `count` highest, the most extreme first.

    No image is on both sides, even if scores are equal: of fewer than 2 x `count` images each side gets half, and the
    lower side the image in the middle.
    """
    rows = table.sort_values(score, kind="stable")
    middle = (len(rows) + 1) // 2
    return rows[:middle][:count], rows[middle:][::-1][:count]


def _draw(args: argparse.Namespace, model: Model, sides: Sides, score: str) -> None:
    """Draw the picture. Raises: Problem if it cannot be drawn."""
    from vi_simsiam.cli import drawing  # slow to import, and seldom used
    from vi_simsiam.report.figures import style

    try:
        pixels = _pixels(model.stream(args.images, every_page=args.pages == "all"), pd.concat(sides)["path"])
        lowest, highest = ((table, [pixels[path] for path in table["path"]]) for table in sides)
        with style.drawing_style():
            figure = drawing.extremes(lowest, highest, score)
            style.save(figure, args.grid)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise Problem(f"--grid {args.grid} could not be drawn: {reason}. The table is written.") from None


def _pixels(stream: ImageReader, paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Read some images again: uint8 (size, size, channels) by path."""
    wanted = set(paths)
    return {file.path: stream.prepared(Contents(file), file.page) for file in stream.files() if file.path in wanted}


def _list(sides: Sides, score: str) -> None:
    lines = []
    for title, table in zip(("most uncertain", "most certain"), sides, strict=True):
        if table.empty:
            continue
        lines.append(f"{title}:\n{score:>20}  percentile  path")
        for row in table.to_dict("records"):
            lines.append(f"{row[score]:>20.6g}  {row['percentile']:>10.2f}  {one_line(row['path'])}")
    write_out("\n".join(lines))


def counts(used: int, unread: int, ignored: Ignored, done: str = "scored") -> str:
    """Count images used, images not read, and files ignored by kind, in one sentence. done: with the images used."""
    text = f"{used} images {done}, {unread} could not be read"
    return f"{text}; {left_out.counts(ignored)}." if ignored else f"{text}."


def say(line: str) -> None:
    """Print a line to stderr, above a progress bar if there is one. A reader that goes away does not end the work."""
    with suppress(BrokenPipeError):
        tqdm.write(one_line(line), file=sys.stderr)


def one_line(text: str) -> str:
    """A text on one line. Characters that a terminal would obey are shown by their codes: file names may hold any."""
    return printable(writable(text))


def positive(text: str) -> int:
    """Parse an argument that is a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
