"""Report the files that a data set leaves out, with reasons, in report.csv and in a line on the terminal."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from vi_simsiam.core.command import note
from vi_simsiam.core.files import replacing
from vi_simsiam.core.text import no_formula, several
from vi_simsiam.data.names import UNKNOWN

NAMED = 10  # files of each kind that are named
Ignored = dict[str, tuple[int, tuple[str, ...]]]  # for each kind of file, their number and the paths of the first ones


@dataclass(frozen=True)
class Report:
    """Files of a source that are not among its images, and remarks on its images.

    left_out: path and problem of every image that cannot be used. ignored: for each kind of file that is not an image
    (or not wanted), their number and the paths of the first ones. remarks: path of an image that is used, and a warning
    of its decoder. notes: sentences about the whole set.
    """

    left_out: tuple[tuple[str, str], ...] = ()
    ignored: Ignored = field(default_factory=dict)
    remarks: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def count(ignored: Ignored, kind: str, name: str) -> None:
    """Count a file among those of its kind."""
    number, names = ignored.get(kind, (0, ()))
    ignored[kind] = number + 1, names if len(names) == NAMED else (*names, name)


def counts(ignored: Ignored) -> str:
    """The number of files of each kind, as the end of a sentence. Files that may be images after all are named."""
    parts = []
    for kind, (number, names) in sorted(ignored.items()):
        parts.append(f"{number} {kind}")
        if kind in UNKNOWN:
            parts[-1] += f" ({several(names, most=3, number=number)})"
    return f"ignored: {', '.join(parts)}"


def write_report(path: Path, report: Report) -> None:
    """Write report.csv, with columns path and problem, and note its contents on the terminal.

    It has a row for each image left out, for up to `NAMED` files of each kind ignored, and for each remark on an image
    that is used.
    """
    rows = [*report.left_out]
    for kind, (number, names) in report.ignored.items():
        rows += [(name, f"ignored: {kind} ({number} in all)") for name in names]
    rows += [(name, f"used, but: {text}") for name, text in report.remarks]
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "problem"), *((no_formula(name), problem) for name, problem in rows)])
    parts = [counts(report.ignored)] if report.ignored else []
    if report.left_out:
        parts.insert(0, f"{len(report.left_out)} images left out (the first: {': '.join(report.left_out[0])})")
    if report.remarks:
        parts.append(f"{len({name for name, _ in report.remarks})} images used though their decoder warns (the first: "
                     f"{': '.join(report.remarks[0])})")  # fmt: skip
    if parts:
        note(f"{'; '.join(parts)}. All are in {path.name}.")
    for sentence in report.notes:
        note(sentence)
