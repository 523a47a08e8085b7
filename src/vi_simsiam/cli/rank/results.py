"""Results of a ranking: the table of all photographs, the gallery, and the report."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vi_simsiam.cli.rank import answer, copies, issues, labels, neighbourhood, tiles
from vi_simsiam.cli.rank.answer import Section
from vi_simsiam.cli.rank.facts import FACTS
from vi_simsiam.cli.rank.photographs import Photographs
from vi_simsiam.cli.score import one_line, write_table
from vi_simsiam.core.files import replacing
from vi_simsiam.data.append_store import AppendStore
from vi_simsiam.data.left_out import Ignored
from vi_simsiam.data.names import ARRAYS, MASKS, UNKNOWN
from vi_simsiam.data.reader import without_page
from vi_simsiam.data.store import RowView
from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.features import IMAGES_AT_ONCE, images_to_score
from vi_simsiam.evaluation.scorer import agreement
from vi_simsiam.models.model import Model
from vi_simsiam.report.gallery import page
from vi_simsiam.transforms.resizing import resize

TABLE, TILES, GALLERY, REPORT = "ranking.csv", "tiles.csv", "gallery.html", "report.txt"
_AT_ONCE = 1024  # photographs whose features are in memory at once
MOST_IMAGES = 600  # in the gallery, about: their thumbnails with 192 pixels take up to 11 MB
# Images of a larger ranking that are in the gallery: at each end of each column; of each list, and of copies.
_EXTREMES, _LISTED = 20, 40
_DARK = 0.32  # highlight below which the gallery shows an image brighter
_PERCENTILE = "Percentage of the training images that are less certain; ties count half."
_GROUP = (
    "Files with the same number are copies: equal bytes, or one picture resized, compressed, cropped at its centre, "
    "turned or mirrored. All other images are much less similar."
)
_COPY_OF = (
    "The file of the group to keep, the largest and of these the sharpest. Empty for that file, and outside groups."
)
_ISSUES = f"Reasons to look at the image, with ; between them: {', '.join(issues.NAMES)}."
_OF_TILES = {
    "tile": ("tile", "Number of the tile within its image, from 1, row by row."),
    "left": ("left", "Pixels of the image to the left of the tile."),
    "top": ("top", "Pixels of the image above the tile."),
    "width": ("width", "Pixels of the tile from left to right."),
    "height": ("height", "Pixels of the tile from top to bottom."),
    "tiles": ("tiles", "Number of the image's tiles."),
    "lowest_tile": ("first tile", "Number of the image's tile that comes first in tiles.csv."),
}
_QUANTILE = f"The {tiles.SHARE:.0%} quantile of the column {{}} of tiles.csv over the image's tiles."


def table(
    files: pd.DataFrame,
    rows: np.ndarray,
    store: AppendStore,
    model: Model | None,
    device: torch.device,
    limits: Mapping[str, float],
) -> tuple[pd.DataFrame, dict[str, list[int]]]:
    """A row per file, or per tile, and the rows with each issue.

    Args:
        files: of `Encoder.encode`. rows: of each file's contents in `store`; equal files have the same.
        model: None: no score of a model. device: that compares features. limits: of `issues.thresholds`.

    Returns: the table, and for each issue the numbers of its rows, worst first. Columns: those of `files` with `issues`
        after the path, `knn_density`, the facts, `duplicates` (number of the group of copies from 1; missing outside
        groups), `copy_of` (the image of the group to keep; missing for that image and outside groups). With a model
        also `view_agreement`, its own scores, and `percentile`; its first score is last.
    """
    chosen, place = np.unique(rows, return_inverse=True)  # each content once
    result = files.assign(knn_density=neighbourhood.density(RowView(store.array("whole"), chosen), device)[place])
    for fact, values in zip(FACTS, store.array("facts")[rows].T, strict=True):
        result[fact.name] = values.astype(int) if fact.range in ("pixels", "number") else values
    if (result["pages"] == 1).all():
        del result["pages"]
    result["duplicates"] = _numbered(copies.groups(store.array("look")[chosen], device)[place])
    keep, found = issues.copies(result, rows)
    result["copy_of"] = keep.map(dict(enumerate(answer.names(result)))).astype("string")  # also where all are missing
    found |= issues.find(result, limits)
    result.insert(1, "issues", issues.column(found, len(result)))
    if model is not None:
        first, *others = model.scores
        columns = _of_model(model, model.scores, store, chosen)
        columns["percentile"] = model.training.percentile(columns[first])
        for name in ("view_agreement", *others, "percentile", first):
            result[name] = columns[name][place]
    return result, found


def _of_model(model: Model, names: Iterable[str], store: AppendStore, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The model's scores `names` and `view_agreement` of rows of the store: (n,) each."""
    network, parts = model.network, []
    device = next(network.parameters()).device
    whole, views = RowView(store.array("whole"), rows), RowView(store.array("views"), rows)
    at_once = IMAGES_AT_ONCE if network.scores_images else _AT_ONCE
    pixels = images_to_score(network, RowView(store.array("pixels"), rows), at_once)
    with torch.no_grad():
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            values = network.own_scores(_tensor(whole[part], device), next(pixels))
            some = _tensor(views[part], device)
            z = network.embedding(some.flatten(0, 1)).unflatten(0, some.shape[:2])
            parts.append({name: values[name].double() for name in names} | {"view_agreement": agreement(z)})
    return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}


def _tensor(features: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(features.astype(np.float32)).to(device)


def _numbered(group: np.ndarray) -> pd.Series:
    """Groups of two files or more, numbered from 1 by their first file; the others have none."""
    series = pd.Series(group)
    several = series[series.map(series.value_counts()) > 1]
    numbers = {name: number for number, name in enumerate(several.drop_duplicates(), 1)}
    return series.map(numbers).astype("Int64")


def write_tables(result: pd.DataFrame, by: str, out: Path) -> dict[str, pd.DataFrame]:
    """Write the table, lowest `by` first, as .csv and .parquet; of tiles another with a row per image.

    Args:
        result: of `table`. by: of `answer.ordered_by`.

    Returns: the tables by the names of their .csv, that of the images first.
    """
    tables = {TABLE: result}
    if "tile" in result:
        names = [name for name in result.columns if name in scores.SCORES or name == "percentile"]
        tables = {TABLE: tiles.summary(result, by if by in names else "tile", names), TILES: result}
    for name in (TABLE, TILES):
        for path in (out / name, (out / name).with_suffix(".parquet")):
            if name not in tables:
                path.unlink(missing_ok=True)  # of an earlier ranking
                continue
            column = by if by in tables[name] else by + tiles.SUFFIX
            write_table(tables[name].sort_values([column, "path"], kind="stable"), path)
    return tables


def write_gallery(
    result: pd.DataFrame,
    rows: np.ndarray,
    store: AppendStore,
    model: Model | None,
    by: str,
    sentence: str,
    sections: Sequence[Section],
    stream: Photographs,
    out: Path,
    name: str,
) -> None:
    """Write the page: the images of the lists, the extremes of each column, copies, and even steps between.

    Args:
        result: of `table`, for these rows. by: of `answer.ordered_by`. sentence, sections: the answer.
        stream: of the images, which are read again for their thumbnails. name: of the photographs.
    """
    texts = {column: (label, text) for column, label, text in explained(result)}
    unshown = ("issues", "pages", "duplicates", "copy_of", "percentile", labels.SUGGESTED, *_OF_TILES)
    columns = [column for column in result.columns if column in texts and column not in unshown]
    columns.sort(key=lambda column: column != by)
    group = result["duplicates"].fillna(0).to_numpy(np.int64)
    shown = _chosen(result[columns], group, [section.rows for section in sections])
    paths = answer.names(result)
    highlight = result["highlight"].iloc[shown]
    gains = [round(min(0.9 / max(each, 0.01), 20), 1) if each < _DARK else None for each in highlight]
    tiled = "tile" in result
    number = pd.factorize(result["path"])[0]
    ends = result[["left", "top"]].to_numpy() + result[["width", "height"]].to_numpy() if tiled else np.zeros((0, 2))
    entry = page.of_images(
        name,
        _thumbnails(result, rows, store, shown, stream),
        [paths.iloc[row] for row in shown],
        np.arange(len(shown)),
        group=group[shown],
        keep=(group > 0)[shown] & result["copy_of"].isna().to_numpy()[shown],
        links=[_link(path, out) for path in result["path"].iloc[shown]],
        gains=gains,
        places=[
            [int(number[row]), *map(int, result[["left", "top", "width", "height"]].iloc[row])] for row in shown
        ] if tiled else None,
        extents={
            str(image): ends[number == image].max(0).tolist() for image in np.unique(number[shown])
        } if tiled else None,
    )  # fmt: skip
    entry["images"] = len(result)
    place = {int(row): i for i, row in enumerate(shown)}
    entry["sentence"] = sentence
    entry["lists"] = [
        page.of_list(section.title, section.sentence, section.count, _items(section, group, place), section.lines)
        for section in sections
    ]
    numbers = result[columns].astype(float).iloc[shown]
    values = [(*texts[column], numbers[column]) for column in columns]
    warning, warned = "", 0
    if model is not None and not model.training.reliable:
        warning, warned = answer.check_sentence(model.training), columns.index(model.training.name)
    method = "features" if model is None else model.description["method"]
    entry["runs"] = [page.of_scores(method, values, warning, warned)]
    page.write_page([entry], out / GALLERY, "photographs")


def _items(section: Section, group: np.ndarray, place: Mapping[int, int]) -> list[int]:
    """Places in the page of a section's images; of copies also of those to keep, group by group."""
    rows = list(section.rows)
    if section.grouped:
        groups = list(dict.fromkeys(group[rows].tolist()))
        rows = [int(row) for number in groups for row in np.flatnonzero(group == number)]
    return [place[row] for row in rows if row in place]


def _thumbnails(
    result: pd.DataFrame, rows: np.ndarray, store: AppendStore, shown: np.ndarray, stream: Photographs
) -> np.ndarray:
    """Pixels of the images in the page, uint8 (n, side, side, channels), read again from their files.

    A file that can no longer be read has the pixels that the encoder saw, resized.
    """
    small = RowView(store.array("pixels"), rows[shown])
    least = result[["width", "height"]].iloc[shown].min(axis=1).max()
    side = int(min(page.TILE, max(least, small.shape[1])))
    pixels = np.zeros((len(shown), side, side, small.shape[3]), np.uint8)
    waiting = {name: i for i, name in enumerate(answer.names(result).iloc[shown])}
    reader = replace(stream, size=side, stored=frozenset(), measured=False, ignored={})
    reader.only(set(result["path"].iloc[shown]))
    for image in reader:
        if image.problem is not None:
            continue
        tile = image.content.tile
        name = image.path if tile is None else f"{image.path} [tile {tile.tile}]"
        if (i := waiting.pop(name, None)) is not None:
            pixels[i] = image.content.pixels
    for i in waiting.values():
        pixels[i] = resize(small[i : i + 1], side)[0]
    return pixels


def _link(path: str, out: Path) -> str | None:
    """URL of a file, relative to the page, so that both can be moved together. None of a file in an archive."""
    path = path if os.path.exists(path) else without_page(path)
    if not os.path.isfile(path):
        return None
    return quote(os.path.relpath(os.path.abspath(path), out.resolve()))


def _chosen(columns: pd.DataFrame, group: np.ndarray, lists: Sequence[Sequence[int]]) -> np.ndarray:
    """Rows of the images in the gallery, ascending: all, or those that `write_gallery` names."""
    if len(columns) <= MOST_IMAGES:
        return np.arange(len(columns))
    order = [np.argsort(columns[name].to_numpy(), kind="stable") for name in columns]
    ends = [part for rows in order for part in (rows[:_EXTREMES], rows[-_EXTREMES:])]
    grouped = np.flatnonzero(group)
    first = [np.asarray(rows[:_LISTED], dtype=np.int64) for rows in lists]
    copied = grouped[np.argsort(group[grouped], kind="stable")][:_LISTED]
    some = np.unique(np.concatenate([*first, *ends, copied]))
    steps = np.linspace(0, len(columns) - 1, max(0, MOST_IMAGES - len(some))).round().astype(int)
    return np.unique(np.concatenate([some, order[0][steps]]))


def explained(result: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Column, label and explaining sentence of each of the table's columns but the path."""
    facts = {fact.name: (fact.label, fact.explained) for fact in FACTS}
    of_table = {
        "percentile": ("percentile", _PERCENTILE),
        "issues": ("issues", _ISSUES),
        "duplicates": ("copies", _GROUP),
        "copy_of": ("copy of", _COPY_OF),
    }
    of_score = {name: (row.label, row.explained) for name, row in scores.SCORES.items()}
    texts = of_score | facts | of_table | labels.EXPLAINED
    quantiles = {name + tiles.SUFFIX: (f"{label}, tiles", _QUANTILE.format(name)) for name, (label, _) in texts.items()}
    of_tiles = _OF_TILES if {"tile", "tiles"} & set(result.columns) else {}
    return [(name, *(texts | quantiles | of_tiles)[name]) for name in result.columns if name != "path"]


def write_report(
    out: Path,
    sentence: str,
    sections: Sequence[Section],
    lines: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    by: str,
    ignored: Ignored,
) -> None:
    """Write the answer, then counts, times, the meaning of the columns, and files that are not in the table.

    Args:
        sentence: of `answer.order_sentence`. sections: of `answer.sections`. lines: counts and times.
        tables: by the names of their files. by: of `answer.ordered_by`. ignored: of the reader.
    """
    result = list(tables.values())[-1]  # of tiles if there are any: sections are of its rows
    parts = [sentence, *answer.lines(sections, result), "", *lines]
    for file, result in tables.items():
        parts += ["", f"Columns of {file}, sorted by {by if by in result else by + tiles.SUFFIX}, lowest first:"]
        parts += [f"  {name}: {text}" for name, _, text in explained(result)]
    for section in sections:
        if section.lines:
            parts += ["", section.heading, *(f"  {line}" for line in section.lines)]
    for kind in UNKNOWN:
        if kind in ignored:
            number, names = ignored[kind]
            more = [f"  ... and {number - len(names)} more"] if number > len(names) else []
            parts += ["", f"Ignored {kind}: {number}", *(f"  {name}" for name in names), *more]
            if kind == ARRAYS:
                parts.append("  To rank images among them, save these as PNG or TIFF.")
            if kind == MASKS:
                parts.append("  To rank them too, name their folder beside the others.")
    with replacing(out / REPORT) as temporary:
        temporary.write_text("\n".join(map(one_line, parts)) + "\n", encoding="utf-8")
