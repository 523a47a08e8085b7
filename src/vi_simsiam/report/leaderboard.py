"""The leaderboard: every certainty score of every method, task by task, with ranks and their uncertainty.

A task is a use of a score, judged by one measure of docs/reading.md. Estimates and intervals are those of the other
tables. Ranks come from comparisons of scores on the same images and seeds (`stats.comparison`). Scores that need labels
are in the table for comparison, without a rank.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measures import from_statistics, measured_scores, of_images
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.stats.bootstrap import Bootstrap
from vi_simsiam.stats.comparison import Candidate, ranks
from vi_simsiam.stats.decisions import Errors
from vi_simsiam.stats.intervals import Estimate, over_seeds
from vi_simsiam.stats.neighbours import neighbour_consistency
from vi_simsiam.stats.ranks import Ranked, spearman

COLUMNS = (
    "dataset", "task", "measure", "method", "score", "needs", "estimate", "ci_low", "ci_high", "seeds",
    "rank", "rank_low", "rank_high", "best", "best_of_method",
)  # fmt: skip
SEEDS = "seed_agreement"
_OTHERS = "ood_auroc_"


def add_neighbour_consistency(runs: list[Run]) -> None:
    """Add to each run the measures of neighbour consistency, a score that compares the seeds of a method.

    All seeds have the same score, but each seed has its predictions and errors. The score does not exist for a method
    with one seed, or with equal embeddings for all seeds, as `untrained` on a frozen encoder.
    """
    for members in grouped(runs, "dataset", "method").values():
        if len(members) < 2:
            continue
        consistency = neighbour_consistency([run.neighbours for run in members])
        if np.ptp(consistency) == 0:
            continue
        for run in members:
            images = run.images.drop(columns=measured_scores(run.images)).assign(neighbour_consistency=consistency)
            found = from_statistics(of_images(images), len(images), len(run.resampled), run.bootstrap_seed)
            run.measures.update(found.estimates)
            run.resampled[found.resampled.columns] = found.resampled


class Task(NamedTuple):
    """A use for which scores are ranked.

    Args:
        name: in the table. measure: of a run's metrics.json, before the slash and the score.
        label: for people.
        larger: whether a larger value of the measure is better.
    """

    name: str
    measure: str
    label: str
    larger: bool = True


_TASKS = (
    Task("errors", "auroc_correct", "errors"),
    Task("errors_on_crops", "auroc_crop_correct", "errors on crops"),
    Task("errors_on_corruptions", "auroc_corrupted_correct", "errors, corrupted"),
    Task("retrieval", "r_auroc", "retrieval (R-AUROC)"),
    Task("lost_information", "crop_below_whole", "crops below whole"),
    Task("corruptions_below_clean", "corrupted_below_clean", "corrupted below clean"),
    Task("human_doubt", "spearman_label_entropy", "human doubt", larger=False),
)


def tasks(runs: list[Run]) -> list[Task]:
    """The tasks whose measure any of the runs has, and the agreement over seeds."""
    names = dict.fromkeys(name.partition("/")[0] for run in runs for name in run.measures)
    others = [name.removeprefix(_OTHERS) for name in names if name.startswith(_OTHERS)]
    out = [task for task in _TASKS if task.measure in names]
    out += [Task(f"other_{o}", _OTHERS + o, f"images of {o}") for o in others]
    return [*out, Task(SEEDS, SEEDS, "agreement of seeds")]


def leaderboard_table(runs: list[Run]) -> pd.DataFrame:
    """A row per data set, task and score of a method that has it: `COLUMNS`, which docs/reading.md explains."""
    parts = []
    for dataset, members in grouped(runs, "dataset").items():
        for task in tasks(members):
            rows = list(_rows(task, grouped(members, "method")))
            parts.append(pd.DataFrame(rows, columns=COLUMNS[1:10] + ("measured",)).assign(dataset=dataset))
            _rank(parts[-1], members, task)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return table[list(COLUMNS)]


def _rows(task: Task, methods: dict[str, list[Run]]):
    """A row per score of each method: the columns `task` to `seeds`, and the score's `Candidate` for ranks."""
    for method, runs in methods.items():
        for score in measured_scores(runs[0].images):
            made = _agreement(runs, score) if task.name == SEEDS else _measured(task, runs, score)
            if made is not None:
                estimate, seeds, measured = made
                needs = scores.score(score).needs
                yield (task.name, task.measure, method, score, needs, *estimate[:3], seeds, measured)


def _measured(task: Task, runs: list[Run], score: str) -> tuple[Estimate, int, Candidate | None] | None:
    name = f"{task.measure}/{score}"
    found = [run.measures[name] for run in runs if name in run.measures]
    if not found:
        return None
    low, high = (-1.0, 1.0) if task.measure.startswith("spearman") else (0.0, 1.0)
    estimate = over_seeds(found)
    estimate = estimate._replace(ci_low=max(low, estimate.ci_low), ci_high=min(high, estimate.ci_high))
    if len(found) < len(runs) or any(name not in run.resampled for run in runs):
        return estimate, len(found), None
    sign = 1 if task.larger else -1
    values = sign * np.array([one.estimate for one in found])
    resampled = sign * np.mean([run.resampled[name] for run in runs], axis=0)
    return estimate, len(found), Candidate(values, resampled, runs[0].method)


def _agreement(runs: list[Run], score: str) -> tuple[Estimate, int, Candidate] | None:
    """Mean rank correlation of a score over pairs of seeds, with the jackknife's pseudo-values of the seeds.

    For S seeds, a seed's pseudo-value is S times the mean over all pairs, less S - 1 times the mean over the pairs
    without this seed. The mean of the pseudo-values is the mean over all pairs; their spread shows how much the result
    depends on the choice of seeds.
    """
    n = len(runs)
    if n < 3:
        return None
    ranked = [Ranked(run.images[score]) for run in runs]
    both = list(combinations(range(n), 2))
    pairs = {f"{i} {j}": rho for i, j in both if (rho := spearman(ranked[i], ranked[j])) is not None}
    if len(pairs) < len(both):
        return None
    mean = np.mean([rho.point for rho in pairs.values()])
    without = [np.mean([pairs[f"{i} {j}"].point for i, j in both if k not in (i, j)]) for k in range(n)]
    pseudo = n * mean - (n - 1) * np.array(without)
    images = len(runs[0].images)
    boot = Bootstrap(images, len(runs[0].resampled), runs[0].bootstrap_seed)
    resampled = np.mean(list(boot.resampled(pairs).values()), axis=0)
    half = Errors(float(np.nanstd(resampled)), float(pseudo.std(ddof=1)), n).half_width()
    low, high = np.clip([mean - half, mean + half], -1, 1)
    return Estimate(float(mean), float(low), float(high), images), n, Candidate(pseudo, resampled, runs[0].method)


def _rank(table: pd.DataFrame, runs: list[Run], task: Task) -> None:
    """Add the columns of ranks: among all scores that need no labels, and whether a score is the best of its method."""
    numbered, marked = ("rank", "rank_low", "rank_high"), ("best", "best_of_method")
    for column in numbered:
        table[column] = pd.array([pd.NA] * len(table), dtype="Int64")
    table[list(marked)] = ""
    free = [i for i in table.index if table["needs"][i] != scores.LABELS and table["measured"][i] is not None]
    seeds = grouped(runs, "method")
    if len({tuple(run.seed for run in seeds[table["method"][i]]) for i in free}) > 1:
        return  # methods with different seeds: a difference between them could be one between seeds
    if len({len(table["measured"][i].resampled) for i in free}) > 1:
        return  # methods with different numbers of resamples (`uncertainty.bootstrap`)
    if free:
        # On a frozen encoder all methods share the scores of its features: equal scores have one rank.
        first: dict[tuple, int] = {}
        same = [first.setdefault(_content(table.loc[i]), i) for i in free]
        found = ranks([table["measured"][i] for i in first.values()], seed=0)
        place = {i: n for n, i in enumerate(first.values())}
        of_rows = [place[i] for i in same]
        for column, numbers in zip(numbered, found, strict=True):
            table.loc[free, column] = numbers[of_rows]
        table.loc[free, "best"] = np.where(found.low[of_rows] == 1, "yes", "no")
    for _, rows in table.loc[free].groupby("method", sort=False):
        found = ranks(list(rows["measured"]), seed=0)
        table.loc[rows.index, "best_of_method"] = np.where(found.low == 1, "yes", "no")


def _content(row: pd.Series) -> tuple[str, bytes, bytes]:
    """Key of a score: its name, its values and its values on the resamples; equal for methods that share the score."""
    measured: Candidate = row["measured"]
    return row["score"], measured.values.tobytes(), measured.resampled.tobytes()
