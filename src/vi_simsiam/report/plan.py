"""How many seeds and test images would decide each claim, from the claims of runs that are finished.

A row per claim of `claims.csv` in the folders named. `power` is how often a run like that one decides an effect as
large as the one seen. The others are what would take it to the power wanted: `seeds`, on as many images as now;
`images`, with as many seeds; `both`, seeds x images, both grown by the same factor. A dash: nothing would, up to 1,000
seeds and ten million images. docs/claims.md has the rule.
"""

import argparse
import math
from pathlib import Path

import pandas as pd

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest
from vi_simsiam.report.claims import COLUMNS
from vi_simsiam.report.summary import aligned
from vi_simsiam.stats.decisions import LEVEL, POWER, Errors, growth_needed, images_needed, seeds_needed

_FOLDERS = ("results/plot", "docs/results/*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="with a claims.csv (default: all here)")
    parser.add_argument("--dataset", help="claims about this data set alone")
    parser.add_argument("--claim", help="this claim alone")
    parser.add_argument("--effect", type=float, help="distance from the threshold (default: the one seen)")
    parser.add_argument("--seeds", type=int, help="number of seeds, for the images (default: as in the run)")
    parser.add_argument("--images", type=int, help="number of test images, for the seeds (default: as in the run)")
    parser.add_argument("--power", type=float, default=POWER, help="share of runs that decide (default: %(default)s)")
    parser.add_argument("--corrected", action="store_true", help="with the correction for the number of claims")
    parser.set_defaults(main=plan)


def plan(args: argparse.Namespace) -> int:
    """Print the table. Returns: 0. Raises: Problem for a folder, a name or a number that does not fit."""
    for name, low, high in (("effect", 0, 2), ("power", 0, 1), ("seeds", 1, 1001), ("images", 0, 10**9)):
        value = getattr(args, name)
        if value is not None and not low < value < high:
            raise Problem(f"--{name} {value}: it must be larger than {low} and less than {high}.")
    claims = _chosen(read_claims(args.folders), args.dataset, args.claim)
    rows = planned(claims, args.effect, args.seeds, args.images, args.power, args.corrected)
    cells = [["folder", "dataset", "claim", "effect", "verdict", "run", "power", "seeds", "images", "both"]]
    for row in rows.itertuples():
        now = f"{row.run_seeds} x {row.run_images:,}"
        needed = [f"{number:,}" if number else "-" for number in (row.seeds, row.images)]
        cells.append([row.folder, row.dataset, row.claim, f"{row.effect:.3f}", row.verdict, now, f"{row.power:.2f}"])
        cells[-1] += [
            *needed,
            f"{row.both} x {round(row.both * row.run_images / row.run_seeds):,}" if row.both else "-",
        ]
    print("\n".join(aligned(cells)))
    level = "the correction for the number of claims" if args.corrected else "no correction for their number"
    print(f"For a verdict in {args.power:.0%} of runs, with {level}. An effect that was seen is an estimate, and those")
    print("that were noticed tend to be overestimated: plan with the smallest that matters (--effect).")
    if left := len(claims) - len(rows):
        print(
            f"{left} claims are left out: their tables do not have both errors, as of one seed or an earlier version."
        )
    return 0


def read_claims(folders: list[Path]) -> pd.DataFrame:
    """The claims of all folders, with the column `folder` and the number of claims about their data set, `family`.

    Raises: Problem naming a folder without claims, or claims of an earlier version.
    """
    folders = folders or [path for pattern in _FOLDERS for path in sorted(Path().glob(pattern)) if _file(path).exists()]
    if not folders:
        raise Problem("no claims.csv in results/plot or docs/results. Run once (`make run`), or name a run's folder.")
    tables = []
    for folder in folders:
        if not _file(folder).is_file():
            raise Problem(f"{_file(folder)} does not exist. Name a folder with the tables of a run, as results/plot.")
        try:
            table = pd.read_csv(_file(folder))
        except ValueError as error:
            raise Problem(f"{_file(folder)} is not readable ({error}). Run the step `plot` again.") from None
        if missing := [name for name in COLUMNS if name not in table]:
            raise Problem(f"{_file(folder)} has no column {missing[0]}. Run the step `plot` again, of this version.")
        tables.append(table.assign(folder=str(folder), family=table.groupby("dataset")["p"].transform("count")))
    return pd.concat(tables, ignore_index=True)


def planned(
    claims: pd.DataFrame, effect: float | None = None, seeds: int | None = None, images: int | None = None,
    power: float = POWER, corrected: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """What would decide each claim, for those whose two errors are known.

    Args:
        claims: from `read_claims`.
        effect: distance of the true quantity from the threshold; None: that of each estimate.
        seeds, images: numbers that stand in for those of the run.
        power: share of runs that decide, in (0, 1).
        corrected: at the level of Holm's first and hardest step, 5 % by the number of claims, which is cautious.

    Returns: columns folder, dataset, claim, verdict, effect, run_seeds, run_images, power (of such a run), seeds and
        images (needed; 0: no number is enough), both (seeds, where the images grow as they do; 0 as before).
    """
    rows = []
    for row in claims.itertuples():
        if row.seeds < 2 or not math.isfinite(row.se_images + row.sd_seeds):
            continue
        distance = abs(row.estimate - row.threshold) if effect is None else effect
        level = LEVEL / row.family if corrected else LEVEL
        run_seeds, run_images = seeds or int(row.seeds), images or round(row.images)
        errors = Errors(row.se_images * math.sqrt(row.images / run_images), row.sd_seeds, run_seeds)
        needed = (
            seeds_needed(errors, distance, power, level),
            images_needed(errors, run_images, distance, power, level),
            growth_needed(errors, distance, power, level),
        )
        head = (row.folder, row.dataset, row.claim, row.verdict, distance, run_seeds, run_images)
        rows.append((*head, errors.power(distance, level), *needed))
    names = ["folder", "dataset", "claim", "verdict", "effect", "run_seeds", "run_images", "power", "seeds", "images"]
    names.append("both")
    return pd.DataFrame(rows, columns=names)


def _chosen(claims: pd.DataFrame, dataset: str | None, claim: str | None) -> pd.DataFrame:
    for column, value in (("dataset", dataset), ("claim", claim)):
        names = list(dict.fromkeys(claims[column]))
        if value is not None and value not in names:
            raise Problem(f"--{column} {value}: not among the claims{nearest(value, names)}; {', '.join(names)}")
        claims = claims if value is None else claims[claims[column] == value]
    return claims


def _file(folder: Path) -> Path:
    return folder / "claims.csv"
