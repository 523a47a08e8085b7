"""`vi-simsiam rank`: put unusual photographs first, and list faulty and copied ones, without labels."""

import argparse
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from vi_simsiam.cli.rank import answer, head_training, issues, labels, results, tiles
from vi_simsiam.cli.rank.encoding import VIEWS, Encoder
from vi_simsiam.cli.rank.photographs import Photographs
from vi_simsiam.cli.score import (
    SOME_UNREAD,
    add_pages,
    counts,
    few_bits_sentence,
    named_device,
    of_files,
    pages_sentence,
    positive,
    say,
    tell,
)
from vi_simsiam.config.encoder_params import LITE, RANKING
from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import check_writable, lock, read_json, write_json
from vi_simsiam.core.text import duration, writable
from vi_simsiam.data.decode import FULL_DEPTH
from vi_simsiam.data.names import is_hidden
from vi_simsiam.models.model import Model, load

_EARLIER = "options.json"  # photographs and options of the ranking in the folder
_LEAST = 4  # photographs; from fewer, heads learn nothing
_TOLD = 10  # files that cannot be read, at most, that are named at once; the report names all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photographs", nargs="+", metavar="PHOTOS", help="image files, folders, .zip, .tar, .tar.gz ..."
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FOLDER", help="a new folder, or one of an earlier ranking"
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--encoder", metavar="NAME", help=f"timm/<model>, or a trained model's folder ({LITE})", default=LITE
    )
    either.add_argument("--run", type=Path, metavar="MODEL", help="a trained model, instead of training heads here")
    parser.add_argument(
        "--size", type=positive, metavar="PIXELS", help=f"side of the encoder's input ({LITE}: 96, others: their own)"
    )
    parser.add_argument(
        "--depth", type=int, choices=range(8, 17), default=FULL_DEPTH, metavar="BITS",
        help="bits that 16-bit grey images use, 12 for many microscopes (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--tiles", type=int, metavar="PIXELS", help="cut images into square tiles with this side, and rank the tiles"
    )
    add_pages(parser)
    parser.add_argument(
        "--threshold", action="append", default=[], metavar="NAME=VALUE",
        help=f"limit of an issue, may be repeated ({', '.join(f'{i.name}={i.threshold:g}' for i in issues.ISSUES)})",
    )  # fmt: skip
    parser.add_argument(
        "--no-kappa", action="store_true", help="encode each image once and train nothing: no kappa, no view agreement"
    )
    parser.add_argument(
        "--label-first", type=positive, metavar="N", help="choose N images to label first: column label_first"
    )
    parser.add_argument(
        "--labelled", type=Path, metavar="FILE", help="paths of images that have labels already, one per line"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a ranking of other photographs or options")
    parser.add_argument("--seed", type=int, default=0, help="seed of views and training (%(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ... (the GPU if there is one)")
    parser.add_argument("--threads", type=positive, help="CPU threads (one per core)")


def rank(args: argparse.Namespace) -> int:
    """Rank `args.photographs`. Returns: exit status, 0 or `SOME_UNREAD`. Raises: Problem if nothing can be ranked."""
    started = time.monotonic()
    for option, given in (("--size", args.size), ("--depth", args.depth != FULL_DEPTH), ("--no-kappa", args.no_kappa)):
        if given and args.run is not None:
            raise Problem(f"{option} is for an encoder, and --run names a trained model: leave one of them out.")
    if args.tiles is not None and args.tiles < tiles.LEAST:
        raise Problem(
            f"--tiles {args.tiles}: tiles with sides below {tiles.LEAST} pixels show hardly more than a colour. Choose "
            "a larger side, such as 256."
        )
    if args.label_first is not None and args.tiles is not None:
        raise Problem("--label-first chooses images, and --tiles ranks parts of them: leave one of them out.")
    if args.labelled is not None and args.label_first is None:
        raise Problem("--labelled needs --label-first N, the number of images to choose: add it.")
    labelled = [] if args.labelled is None else labels.read_labelled(args.labelled)
    limits = issues.thresholds(args.threshold)
    threads = args.threads or processes.cores()
    every_page = args.pages == "all"
    reader = Photographs if args.tiles is None else partial(tiles.Tiles, side=args.tiles)
    stream = reader(args.photographs, 1, 1, threads, every_page=every_page, written=[args.out])
    with _locked(args.out):
        _check_earlier(args)
        return _rank(args, stream, labelled, limits, started)


def _rank(
    args: argparse.Namespace,
    stream: Photographs,
    labelled: Sequence[str],
    limits: Mapping[str, float],
    started: float,
) -> int:
    """Rank the stream in the locked folder, as `rank` does. started: of `time.monotonic`."""
    device = named_device(args.device)
    model: Model | None = None
    if args.run is None:
        backbone = head_training.backbone(args.encoder, args.size)
        network = head_training.encoder(backbone, device, args.depth)
    else:
        model = load(args.run, device)
        model.scores  # noqa: B018 - raises for a method without a score, before any work
        network = model.network
    encoder = Encoder(network, args.seed, args.out / "features", 0 if args.no_kappa else VIEWS)
    store = encoder.store
    images = network.images
    stream.size, stream.channels, stream.depth = images.size, images.channels, images.depth
    stream.stored = store.rows
    before = store.count
    unread: list[tuple[str, str]] = []
    told = 0

    def report(new: Sequence[tuple[str, str]]) -> None:
        nonlocal told
        told += tell(new, "ranked", _TOLD - told)
        unread.extend(new)

    files, rows = encoder.encode(stream, report)
    encoded = time.monotonic()
    if files.empty:
        raise Problem(f"no photograph could be read. {counts(0, len(unread), stream.ignored, 'ranked')}")
    # In order of appearance, so that training does not depend on when a photograph was stored.
    contents = pd.unique(rows)
    unit, count = "files" if args.pages == "first" else "images", len(files)
    if args.tiles is not None:
        unit, count = "tiles", int((files["tile"] == 1).sum())
    lines = [
        f"{counts(count, len(unread), stream.ignored, 'ranked')} {len(contents)} different {unit}, "
        f"{store.count - before} of them encoded now ({duration(encoded - started)})."
    ]
    if (bits := stream.few_bits) is not None:
        trained = f"The model was trained with a depth of {stream.depth}."
        way_out = f"Rank with --depth {bits} --overwrite." if model is None else trained
        lines.append(f"Note: {few_bits_sentence(bits)} {way_out}")
    few = model is None and len(contents) < _LEAST
    if args.no_kappa or few:
        shutil.rmtree(args.out / "model", ignore_errors=True)  # of an earlier ranking
        why = f": {len(contents)} {unit} are too few to learn it from" if few else ""
        lines.append(f"Features of {args.encoder}; no kappa{why}.")
    elif model is None:
        views = encoder.training_views(contents)
        photographs = head_training.Images(encoder, contents, views)
        folder = args.out / "model"
        done = head_training.train(backbone, photographs, args.seed, device, folder)
        lines.append(
            f"Heads on {args.encoder}: {done['epochs']} epochs, {done['steps']} steps of {done['batch']}, "
            f"{views.shape[1]} views of each image ({duration(time.monotonic() - encoded)})."
        )
        model = load(folder, device)
    else:
        lines.append(f"Model: {writable(args.run)}.")
    training = None if model is None else model.training
    table, found = results.table(files, rows, store, model, device, limits)
    if args.label_first is not None:
        table[labels.FIRST] = labels.label_first(table["path"], rows, store.array("whole"), args.label_first, labelled)
    if args.tiles is None and (names := labels.classes(table["path"], args.photographs)) is not None:
        quality = labels.label_quality(names, rows, store.array("whole"), args.seed)
        table = table if quality is None else table.join(quality)
    if args.pages == "first" and "pages" in table:
        several = table.groupby("path")["pages"].first()
        lines.append(f"Note: {pages_sentence(several[several > 1], 'ranked')}")
    by = answer.ordered_by(table, training)
    sentence = answer.order_sentence(by, training, args.run is None)
    sections = answer.sections(table, by, found, limits, of_files(unread))
    write_json(args.out / _EARLIER, _options(args))
    name = writable(Path(args.photographs[0]).name or "photographs")
    results.write_gallery(table, rows, store, model, by, sentence, sections, stream, args.out, name)
    tables = results.write_tables(table, by, args.out)
    if training is not None and training.name is not None:
        lines.append(answer.check_sentence(training))
    used = ", ".join(f"{name}={limit:g}" for name, limit in limits.items())
    lines.append(f"Limits of the issues: {used}. Change one with --threshold NAME=VALUE.")
    lines.append(f"In all {duration(time.monotonic() - started)}. Seed {args.seed}.")
    results.write_report(args.out, sentence, sections, lines, tables, by, stream.ignored)
    for line in (sentence, *answer.lines(sections, table, answer.ON_TERMINAL), ""):
        say(line)
    for line in lines:
        say(line)
    say(f"{args.out / results.TABLE}, {args.out / results.GALLERY}, {args.out / results.REPORT}")
    return SOME_UNREAD if unread else 0


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Photographs and options that a ranking's results depend on.

    Paths begin at the ranking, so that a folder with it and its photographs can be moved or copied.
    """

    def path(name: str | os.PathLike) -> str:
        return writable(os.path.relpath(name, args.out))

    names = ("encoder", "run", "size", "depth", "tiles", "pages", "no_kappa", "seed")
    options = {name: getattr(args, name) for name in names}
    options["run"] = None if args.run is None else path(args.run)
    if (folder := Path(args.encoder).expanduser()).is_dir():
        options["encoder"] = path(folder)
    return {"photographs": sorted(set(map(path, args.photographs))), **options}


def _check_earlier(args: argparse.Namespace) -> None:
    """Raise Problem if another ranking would be replaced without --overwrite.

    A ranking may always be replaced by one of the same photographs, or of these and more, with equal options.
    """
    if args.overwrite or not (args.out / results.TABLE).exists():
        return
    path = args.out / _EARLIER
    earlier = read_json(path) if path.exists() else {"photographs": ["unknown"]}
    now = _options(args)
    if not set(earlier.pop("photographs")) <= set(now.pop("photographs")):
        other = "of other photographs"
    elif different := [name for name, value in now.items() if earlier.get(name) != value]:
        other = f"with another --{different[0].replace('_', '-')}"
    else:
        return
    raise Problem(
        f"--out {args.out}: it holds a ranking {other}. Name a new folder, or add --overwrite to replace it; "
        "stored features are used again."
    )


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock the folder of a ranking for this process, after creating it if need be.

    Raises: Problem if it holds anything but a ranking, cannot be written, or is locked by another process.
    """
    mark = out / RANKING
    check_writable(mark)
    if not mark.is_file():
        if not all(map(is_hidden, os.listdir(out))):
            raise Problem(f"--out {out}: it is not empty and holds no ranking. Name a new folder.")
        write_json(mark, {"format": 1, "made by": "vi-simsiam rank"})
    with open(mark) as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(
                f"--out {out}: another process is ranking into it. Wait for it, or name another folder."
            ) from None
        yield
