"""The gallery: an HTML file that shows images by a model's certainty.

Markup, style and script are files beside this one; this module fills in the places @NAME@ of the markup. The script
writes texts only as `textContent`, and the page's policy forbids other scripts and all loading: HTML in the name of a
class or of a file is shown as text.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from vi_simsiam.core.files import replacing
from vi_simsiam.evaluation import scores
from vi_simsiam.report.reliability import reliability_warnings
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import own_score, shown_score
from vi_simsiam.transforms.resizing import resize

MOST_IMAGES = 2000  # of a data set: of more, so many at even steps by rising score, the extremes included
TILE = 192  # pixels of a thumbnail's side, at most
_MOST_PNG = 1 << 20  # most pixels, and most bytes, of all thumbnails that are stored without loss
_MOST_JPEG = 8 << 20  # most bytes of all thumbnails; above it their quality is lowered, then their side is halved
_BOX = ("top", "left", "height", "width")


def write_gallery(runs: Sequence[Run], path: Path) -> None:
    """Write the page of the first seed of every data set and method. The same inputs give the same bytes."""
    write_page([_dataset(group) for group in grouped(list(runs), "dataset").values()], path, "test images by certainty")


def write_page(datasets: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Write a page. datasets: of `of_images`, with `runs` of `of_scores` each. title: plain words."""
    data = {"datasets": list(datasets)}
    heading = title[0].upper() + title[1:]
    page, style, script = _file("page.html"), "\n" + _file("style.css"), "\n" + _file("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The data last: a name in them may look like a place to fill.
    texts = {"TITLE": title, "HEADING": heading, "STYLE": style, "DIGEST": digest, "SCRIPT": script}
    for name, text in (texts | {"DATA": _embedded(data)}).items():
        page = page.replace(f"@{name}@", text, 1)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _embedded(data: Any) -> str:
    """JSON that can neither end its HTML element nor begin another."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII: line separators are escaped as well
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _dataset(runs: Sequence[Run]) -> dict[str, Any]:
    first = [group[0] for group in grouped(list(runs), "method").values()]
    with_score = [run for run in first if own_score(run.images) is not None] or first
    # VI-SimSiam before the others: the page opens with it.
    with_score.sort(key=lambda run: not run.has_kappa)
    rows = _rows(with_score[0].images[shown_score(with_score[0].images)].to_numpy())
    warnings = reliability_warnings(list(runs))
    images, paths = with_score[0].test_images(), with_score[0].sources().to_numpy()
    label = with_score[0].images["label"].to_numpy()
    return of_images(runs[0].dataset, images, paths, rows, runs[0].store["classes"], label) | {
        "runs": [_run(run, rows) | {"warning": warnings.get((run.dataset, run.method), "")} for run in with_score],
    }


def of_images(
    name: str,
    images: Any,
    paths: Sequence[str],
    rows: np.ndarray,
    classes: Sequence[str] = (),
    label: np.ndarray | None = None,
    group: np.ndarray | None = None,
    keep: np.ndarray | None = None,
    links: Sequence[str | None] | None = None,
    gains: Sequence[float | None] | None = None,
    places: Sequence[Sequence[int]] | None = None,
    extents: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """The entry of a set of images in the page's data.

    Args:
        name: of the set.
        images: uint8 (N, size, size, C), read one by one.
        paths: N names.
        rows: numbers of those in the page, ascending.
        classes, label: names of classes, and (N,) the number of each image's; -1: no label. None: no classes.
        group: (N,) number of the group of copies, from 1; 0: in none. None: groups were not looked for.
        keep: (N,) whether it is the one of its group to keep. None: as of `group`.
        links: of each image in the page, in the order of `rows`, the URL of its file. None: it has none.
        gains: likewise, how many times brighter it is shown. None: as it is.
        places: likewise, of tiles: number of the image that they are of, left, top, width, height.
        extents: by that number, width and height of the image.
    """
    tile = min(TILE, images.shape[1])
    sprite, tile = _sprite(images, rows, tile)
    return {
        "name": name,
        "classes": list(classes),
        "images": len(paths),
        "tile": tile,
        "sprite": sprite,
        "columns": _columns(len(rows)),
        "index": rows.tolist(),
        "path": [str(paths[row]) for row in rows],
        "label": None if label is None else label[rows].tolist(),
        "group": None if group is None else [int(group[row]) or None for row in rows],
        "keep": None if keep is None else [bool(keep[row]) for row in rows],
        "link": links and list(links),
        "gain": gains and list(gains),
        "place": places and [list(place) for place in places],
        "extent": extents or {},
        "sentence": "",
        "lists": [],
    }


def of_list(title: str, sentence: str, count: int, items: Sequence[int], lines: Sequence[str] = ()) -> dict[str, Any]:
    """The entry of a list of images to look at. The page opens with the first list that is not empty.

    Args:
        title: a few words. sentence: the reason to look at them. count: of images in it, also those not in the page.
        items: those in the page, as places among its images, in their order. lines: texts for files without an image.
    """
    return {"title": title, "sentence": sentence, "count": count, "items": list(items), "lines": list(lines)}


def of_scores(
    name: str, columns: Sequence[tuple[str, str, pd.Series]], warning: str = "", warned: int = 0
) -> dict[str, Any]:
    """The entry of a model's scores of these images.

    Args:
        name: of the model.
        columns: label, explanation and values of the images in the page; the page opens with the first.
        warning: a sentence where the order by a column is not reliable. warned: the number of that column.
    """
    labels, explained, values = zip(*columns, strict=True)
    return {
        "name": name,
        "labels": list(labels),
        "explained": list(explained),
        "scores": [_numbers(column) for column in values],
        "predicted": None,
        "correct": None,
        "crops": None,
        "warning": warning,
        "warned": warned,
    }


def _rows(score: np.ndarray) -> np.ndarray:
    """Rows of the images that are shown, ascending."""
    if len(score) <= MOST_IMAGES:
        return np.arange(len(score))
    places = np.linspace(0, len(score) - 1, MOST_IMAGES).round().astype(int)
    return np.sort(np.argsort(score, kind="stable")[places])


def _run(run: Run, rows: np.ndarray) -> dict[str, Any]:
    from vi_simsiam.report.figures.style import method_style  # here: it imports matplotlib, which `rank` does not need

    score, table = shown_score(run.images), run.images.iloc[rows]
    names = [name for name in scores.IN_FIGURES if name in table]
    names.sort(key=lambda name: name != score)
    rows_of = [scores.score(name) for name in names]
    columns = [(row.label, row.explained, table[row.name]) for row in rows_of]
    return of_scores(f"{method_style(run.method).label}, seed {run.seed}", columns) | {
        "predicted": table["predicted"].tolist() if "predicted" in table else None,
        "correct": table["correct"].astype(object).mask(table["label"] < 0, None).tolist()
        if "correct" in table
        else None,
        "crops": _crops(run, score, rows),
    }


def _crops(run: Run, score: str, rows: np.ndarray) -> list[list[list[float]]] | None:
    """The crops of lowest and of highest score of each image: top, left, height, width, as shares of the image, score.

    None without crops.
    """
    crops = run.crops
    if len(crops) == 0 or not {*_BOX, score} <= set(crops):
        return None
    crops = crops[np.isfinite(crops[score])]
    side = run.test_images().shape[1]
    ends = []
    for chosen in (crops.groupby("index")[score].idxmin(), crops.groupby("index")[score].idxmax()):
        table = crops.loc[chosen, [*_BOX, score]].set_axis(chosen.index).reindex(rows)
        table[list(_BOX)] /= side
        ends.append([_numbers(values) for _, values in table.iterrows()])
    return [list(pair) for pair in zip(*ends, strict=True)]


def _numbers(values: pd.Series) -> list[float | None]:
    """Numbers with four digits; None for one that is not finite."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def _columns(count: int) -> int:
    """Number of columns of thumbnails in the sheet. It is about square, because browsers limit its sides."""
    return max(1, round(count**0.5))


def _sprite(images: np.ndarray, rows: np.ndarray, tile: int) -> tuple[str, int]:
    """All thumbnails in one sheet, as a data URL, and their side: `tile`, or less to limit the number of bytes.

    Each thumbnail has a field of whole 8 x 8 blocks, so that JPEG does not mix neighbours.
    """
    sheet = _sheet(images, rows, tile)
    for kind, options in (
        ("png", {"optimize": True}),
        ("jpeg", {"quality": 85}),
        ("jpeg", {"quality": 70}),
        ("jpeg", {"quality": 50}),
    ):
        if kind == "png" and sheet.width * sheet.height > _MOST_PNG:  # it would take long
            continue
        file = io.BytesIO()
        sheet.save(file, kind, **options)
        if file.tell() <= (_MOST_PNG if kind == "png" else _MOST_JPEG):
            return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", tile
    return _sprite(images, rows, tile // 2)


def _sheet(images: np.ndarray, rows: np.ndarray, tile: int) -> Image.Image:
    columns, field = _columns(len(rows)), -(-tile // 8) * 8
    channels = images.shape[3]
    sheet = np.zeros((-(-len(rows) // columns) * field, columns * field, channels), np.uint8)
    for i, row in enumerate(rows):
        top, left = i // columns * field, i % columns * field
        small = resize(images[row : row + 1], tile)[0]
        # The border repeats the edge, so that it does not bleed into the thumbnail.
        wide = ((0, field - tile), (0, field - tile), (0, 0))
        sheet[top : top + field, left : left + field] = np.pad(small, wide, "edge")
    return Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
