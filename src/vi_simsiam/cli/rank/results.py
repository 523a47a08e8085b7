"""What a ranking leaves: the table of all photographs, the gallery, and the report."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vi_simsiam.cli.rank import answer, copies, issues, neighbourhood, tiles
from vi_simsiam.cli.rank.answer import Section
from vi_simsiam.cli.rank.facts import FACTS
from vi_simsiam.cli.score import one_line, table_writer
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.data.append_store import AppendStore
from vi_simsiam.data.store import RowView
from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.scorer import agreement
from vi_simsiam.models.model import Model
from vi_simsiam.report.gallery import page

TABLE, TILES, GALLERY, REPORT = "ranking.csv", "tiles.csv", "gallery.html", "report.txt"
_AT_ONCE = 1024  # photographs whose features are in memory at once
_EXTREMES = 40  # of each column that the gallery holds, at each end
_PERCENTILE = "Percent of the images that the model was trained on of which it is less certain; ties count half."
_GROUP = (
    "Files with the same number are copies: equal bytes, or one picture resized, compressed, cropped at its centre, "
    "turned or mirrored; all others are much less like them."
)
_COPY_OF = "The file to keep of its group, the largest and of these the sharpest; empty for that file and in no group."
_ISSUES = f"Reasons to look at the image, with ; between them: {', '.join(issues.NAMES)}."
_OF_TILES = {
    "tile": ("tile", "Number of the tile within its image, from 1, row by row."),
    "left": ("left", "Pixels of the image to the left of the tile."),
    "top": ("top", "Pixels of the image above the tile."),
    "width": ("width", "Pixels of the tile from left to right."),
    "height": ("height", "Pixels of the tile from top to bottom."),
    "tiles": ("tiles", "Number of the image's tiles."),
    "lowest_tile": ("least certain tile", "Number of the tile of the image that is least certain, as in tiles.csv."),
}
_QUANTILE = f"The {tiles.SHARE:.0%} quantile of the column {{}} of tiles.csv over the image's tiles."


def table(
    files: pd.DataFrame,
    rows: np.ndarray,
    kept: AppendStore,
    model: Model | None,
    device: torch.device,
    limits: Mapping[str, float],
) -> tuple[pd.DataFrame, dict[str, list[int]]]:
    """A row per file, or per tile, and the rows with each issue.

    Args:
        files: of `Encoder.encode`. rows: of each file's contents in `kept`; equal files have the same.
        model: None: no score of a model. device: that compares features. limits: of `issues.thresholds`.

    Returns: what `files` has and `issues`, knn_density, the facts, `duplicates`, the number of the group of copies from
        1 (missing: in none), `copy_of`, the name of the one of its group to keep (missing for itself and in none); then
        view_agreement and the model's own scores, the first of them last.
    """
    chosen, place = np.unique(rows, return_inverse=True)  # each content once
    result = files.assign(knn_density=neighbourhood.density(RowView(kept.array("whole"), chosen), device)[place])
    for fact, values in zip(FACTS, kept.array("facts")[rows].T, strict=True):
        result[fact.name] = values.astype(int) if fact.range == "pixels" else values
    result["duplicates"] = _numbered(copies.groups(kept.array("look")[chosen], device)[place])
    keep, found = issues.copies(result, rows)
    result["copy_of"] = keep.map(dict(enumerate(answer.names(result)))).astype(object)
    found |= issues.find(result, limits)
    result.insert(1, "issues", issues.column(found, len(result)))
    if model is not None:
        own = model.columns[1:-1]
        columns = _of_model(model, own, kept, chosen)
        columns["percentile"] = model.training.percentile(columns[own[0]])
        for name in ("view_agreement", *own[1:], "percentile", own[0]):
            result[name] = columns[name][place]
    return result, found


def _of_model(model: Model, names: Iterable[str], kept: AppendStore, rows: np.ndarray) -> dict[str, np.ndarray]:
    network, parts = model.network, []
    device = next(network.parameters()).device
    whole, views = RowView(kept.array("whole"), rows), RowView(kept.array("views"), rows)
    with torch.no_grad():
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            own = network.certainty(_tensor(whole[part], device))
            some = _tensor(views[part], device)
            z = network.embedding(some.flatten(0, 1)).unflatten(0, some.shape[:2])
            parts.append({name: own[name].double() for name in names} | {"view_agreement": agreement(z)})
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
            with table_writer(path) as write:
                write(tables[name].sort_values([column, "path"], kind="stable"))
    return tables


def write_gallery(
    result: pd.DataFrame, rows: np.ndarray, kept: AppendStore, model: Model | None, by: str, out: Path, name: str
) -> None:
    """Write the page: the extremes of each column, near-duplicates, and even steps between.

    Args:
        result: of `table`, for these rows. by: of `answer.ordered_by`. name: of the photographs.
    """
    texts = {column: (label, text) for column, label, text in explained(result)}
    unshown = ("issues", "duplicates", "copy_of", "percentile", *_OF_TILES)
    columns = [column for column in result.columns if column in texts and column not in unshown]
    columns.sort(key=lambda column: column != by)
    group = result["duplicates"].fillna(0).to_numpy(np.int64)
    shown = _chosen(result[columns], group)
    paths = answer.names(result).tolist()
    entry = page.of_images(name, RowView(kept.array("pixels"), rows), paths, shown, group=group)
    values = [(*texts[column], result[column].iloc[shown]) for column in columns]
    warning = "" if model is None else model.training.reliability_warning or ""
    entry["runs"] = [page.of_scores("features" if model is None else model.description["method"], values, warning)]
    page.write_page([entry], out / GALLERY, "photographs")


def _chosen(columns: pd.DataFrame, group: np.ndarray) -> np.ndarray:
    if len(columns) <= page.MOST_IMAGES:
        return np.arange(len(columns))
    order = [np.argsort(columns[name].to_numpy(), kind="stable") for name in columns]
    ends = [part for rows in order for part in (rows[:_EXTREMES], rows[-_EXTREMES:])]
    grouped = np.flatnonzero(group)
    some = np.unique(np.concatenate([*ends, grouped[np.argsort(group[grouped], kind="stable")][:500]]))
    steps = np.linspace(0, len(columns) - 1, page.MOST_IMAGES - len(some)).round().astype(int)
    return np.unique(np.concatenate([some, order[0][steps]]))


def explained(result: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Column, label and explaining sentence of each of the table's columns but the path."""
    facts = {fact.name: (fact.label, fact.explained) for fact in FACTS}
    own = {
        "percentile": ("percentile", _PERCENTILE),
        "issues": ("issues", _ISSUES),
        "duplicates": ("copies", _GROUP),
        "copy_of": ("copy of", _COPY_OF),
    }
    of_score = {name: (row.label, row.explained) for name, row in scores.SCORES.items()}
    texts = of_score | facts | own
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
) -> None:
    """Write the answer, then counts, times and the meaning of the columns.

    Args:
        sentence: of `answer.order_sentence`. sections: of `answer.sections`. lines: counts and times.
        tables: by the names of their files. by: of `answer.ordered_by`.
    """
    result = list(tables.values())[-1]  # of tiles if there are any: sections are of its rows
    parts = [sentence, *answer.lines(sections, result), "", *lines]
    for file, result in tables.items():
        parts += ["", f"Columns of {file}, sorted by {by if by in result else by + tiles.SUFFIX}, lowest first:"]
        parts += [f"  {name}: {text}" for name, _, text in explained(result)]
    for section in sections:
        if section.lines:
            parts += ["", section.heading, *(f"  {line}" for line in section.lines)]
    with replacing(out / REPORT) as temporary:
        temporary.write_text("\n".join(map(one_line, parts)) + "\n", encoding="utf-8")


def require_different(kept: AppendStore, rows: np.ndarray) -> None:
    """Raise Problem where the encoder gives the same features to all of several photographs."""
    whole = RowView(kept.array("whole"), np.unique(rows))
    first = whole[0]
    if len(whole) > 1 and all(
        (whole[start : start + _AT_ONCE] == first).all() for start in range(0, len(whole), _AT_ONCE)
    ):
        raise Problem(
            f"the encoder gives the same features to all {len(whole)} different photographs: it says nothing of them. "
            "Name another --encoder, or look whether all photographs are of one colour."
        )
