"""The answer of a ranking: its order, and lists of the images to look at. Report, terminal and gallery begin with it.

A list is a `Section`. A new one is a function of the table that returns one, and its line in `sections`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vi_simsiam.cli.rank import labels
from vi_simsiam.cli.rank.issues import EXACT, ISSUES, NEAR, Issue
from vi_simsiam.evaluation import scores
from vi_simsiam.models.reference import TrainingScores

SHOWN = 10  # lines of a section in the report and on the first screen of the gallery
ON_TERMINAL = 3  # of them on the terminal
_MANY = 0.2  # share of the images: a fault of more of them may be how they are meant to be
_LARGE, _FEW = 0.05, 10  # share and number of images: a larger group of copies may be none
_DENSITY = "knn_density"


@dataclass(frozen=True)
class Section:
    """A list of images with a reason to look at them.

    Attributes:
        title: a few words.
        sentence: the reason, with the limit that was used.
        rows: numbers of rows of the table, most important first.
        lines: instead of rows, texts for files that are not in the table.
        notes: a text for each row.
        grouped: whether the gallery shows the whole group of copies of each image.
    """

    title: str
    sentence: str
    rows: Sequence[int] = ()
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    grouped: bool = False

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.lines)

    @property
    def heading(self) -> str:
        return f"{self.title}: {self.count}"


def ordered_by(table: pd.DataFrame, training: TrainingScores | None) -> str:
    """Column by which the table is ordered, lowest first: the model's own score if it passes its check of reliability.

    Otherwise `knn_density`; but of one image, which has none, the score, and without a score `path`.
    """
    alone = table[_DENSITY].isna().all()
    if training is not None and training.name is not None and (training.reliable or alone):
        return training.name
    return "path" if alone else _DENSITY


def order_sentence(by: str, training: TrainingScores | None, trained_here: bool) -> str:
    """Explanation of the order for a person.

    Args:
        by: of `ordered_by`. trained_here: whether the model was trained on these images.
    """
    if by == "path":
        return "A single image has nothing to be compared with, so there is no order."
    if by != _DENSITY:
        label = scores.score(by).label
        if training is not None and training.reliable:
            return f"Sorted by {label}, how certain the model is of an image: the least certain come first."
        return f"Sorted by {label}: a single image has nothing else to be compared with."
    sorted_so = "Sorted by how unlike the others each image is."
    if training is None or training.name is None:
        return sorted_so
    where = "on these images" if trained_here else "with this model"
    fault = "is not reliable" if training.central else "was not checked"
    return f"{_name(training)} {fault} {where}. {sorted_so}"


def check_sentence(training: TrainingScores) -> str:
    """Result of the check of reliability, for the report."""
    name = _name(training)
    if training.central == 0:
        return f"{name} was not checked: the training images have one colour each, or the model is of an older version."
    done, outcome = "failed", "not clearly more than two thirds, so it hardly follows"
    if training.reliable:
        done, outcome = "passed", "so it follows"
    return (
        f"{name} {done} its check: it is higher on a whole image than on its central quarter for {training.above} of "
        f"{training.central} training images, {outcome} how much an image shows."
    )


def _name(training: TrainingScores) -> str:
    """Label of a model's own score, to begin a sentence."""
    assert training.name is not None  # a model without a score is not checked
    return "Kappa" if training.name == "kappa" else scores.score(training.name).label


def names(table: pd.DataFrame) -> pd.Series:
    """Path of each row; for tiles, path and number."""
    return table["path"] + " [tile " + table["tile"].astype(str) + "]" if "tile" in table else table["path"]


def sections(
    table: pd.DataFrame,
    by: str,
    found: Mapping[str, Sequence[int]],
    limits: Mapping[str, float],
    unread: Sequence[str] = (),
) -> list[Section]:
    """Lists of the answer, in the order in which they are shown.

    Args:
        table: of `results.table`. by: of `ordered_by`. found: rows with each issue. limits: of `issues.thresholds`.
        unread: path and reason of each file that could not be read.
    """
    sections = [_first(table, by)] if by != "path" else []
    rows = [_issue(issue, found[issue.name], limits[issue.name], len(table)) for issue in ISSUES if issue.name in found]
    if labels.FIRST in table:
        sections.append(_label_first(table))
    if labels.QUALITY in table:
        sections.append(_suspect_labels(table))
    not_read = Section("Not read", "These files could not be read.", lines=unread)
    return [*sections, *rows[:1], *_copies(table, found), *rows[1:], not_read]


def lines(found: Sequence[Section], table: pd.DataFrame, most: int = SHOWN) -> Iterator[str]:
    """The sections as lines of text, each with up to `most` of its images; empty ones are named in the last line."""
    paths = names(table).to_numpy()
    for section in found:
        if section.count == 0:
            continue
        yield ""
        yield section.heading
        yield f"  {section.sentence}"
        shown = list(section.lines) or [paths[row] for row in section.rows]
        notes = [*section.notes, *[""] * (len(shown) - len(section.notes))]
        for line, note in list(zip(shown, notes, strict=True))[:most]:
            yield f"  - {line}" + (f" ({note})" if note else "")
        if len(shown) > most:
            yield f"  ... and {len(shown) - most} more"
    if empty := [section.title.lower() for section in found if section.count == 0]:
        yield ""
        yield f"None: {', '.join(empty)}."


def _first(table: pd.DataFrame, by: str) -> Section:
    order = np.lexsort((table["path"], table[by]))
    order = order[table["copy_of"].isna().to_numpy()[order]][:SHOWN]  # one of each group of copies
    which = "that are least like the others" if by == _DENSITY else "of which the model is least certain"
    sentence = f"The images {which}, one of each group of copies."
    notes = table["issues"].iloc[order].str.replace(";", ", ").str.replace("_", " ")
    return Section("Look at first", sentence, order.tolist(), notes=notes.tolist())


def _issue(issue: Issue, rows: Sequence[int], limit: float, count: int) -> Section:
    sentence = issue.explained.format(f"{limit:g}")
    if len(rows) > max(1, _MANY * count):
        sentence += (
            f" These are {len(rows) / count:.0%} of the images, so it may be how they are meant to be: change the "
            f"limit with --threshold {issue.name}=VALUE."
        )
    return Section(issue.title, sentence, rows)


def _copies(table: pd.DataFrame, found: Mapping[str, Sequence[int]]) -> Iterator[Section]:
    keep = table["copy_of"].to_numpy()
    sizes = table["duplicates"].value_counts()
    large = sizes[(sizes > _FEW) & (sizes > _LARGE * len(table))]
    for name, title, sentence in (
        (EXACT, "Exact copies", "Files with the same bytes as another."),
        (NEAR, "Near copies",
         "Probably edits of one picture (resized, compressed, cropped, turned, mirrored), or one thing taken twice. "
         "The one to keep is the largest, of equal ones the sharpest. Look before you delete."),
    ):  # fmt: skip
        if name == NEAR:
            for number, size in large.items():
                sentence += f" Group {number} holds {size} of the {len(table)} images: are these really copies?"
        rows = found.get(name, ())
        yield Section(title, sentence, rows, notes=[f"keep {keep[row]}" for row in rows], grouped=True)


def _label_first(table: pd.DataFrame) -> Section:
    order = table[labels.FIRST].dropna().sort_values().index
    return Section("Label first", "Each adds the most coverage of all images to those before it.", order.tolist())


def _suspect_labels(table: pd.DataFrame) -> Section:
    suspects = table[table[labels.SUGGESTED].notna()].sort_values(labels.QUALITY, kind="stable")
    notes = tuple("looks like " + suspects[labels.SUGGESTED])
    return Section(
        "Perhaps in the wrong folder",
        "They look more like images of another folder.",
        suspects.index.tolist(),
        notes=notes,
    )
