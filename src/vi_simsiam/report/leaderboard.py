"""The leaderboard: every certainty score of every method, task by task, with ranks and their uncertainty.

A task is a use of a score, judged by one measure of docs/reading.md. Estimates and intervals are those of the other
tables. Ranks come from comparisons of scores on the same images and seeds (`stats.comparison`). Scores that need labels
are in the table for comparison, without a rank.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measures import measured_scores, of_images, outcomes
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import estimate_of
from vi_simsiam.stats import influence
from vi_simsiam.stats.bootstrap import Bootstrap
from vi_simsiam.stats.comparison import Candidate, ranks
from vi_simsiam.stats.decisions import Errors
from vi_simsiam.stats.influence import Linear
from vi_simsiam.stats.intervals import Estimate, over_seeds
from vi_simsiam.stats.neighbours import neighbour_consistency

COLUMNS = (
    "dataset", "task", "measure", "method", "score", "needs", "estimate", "ci_low", "ci_high", "seeds",
    "rank", "rank_low", "rank_high", "best", "best_of_method",
)  # fmt: skip
SEEDS = "seed_agreement"
_OTHERS = "ood_auroc_"
_RESAMPLES = 1000


def add_neighbour_consistency(runs: list[Run]) -> None:
    """Add to each run the measures of neighbour consistency, a score that all seeds of a method have together.

    The score is equal for all seeds; right and wrong predictions are each seed's own. A method with one seed has no
    such score, nor one whose embeddings are equal for all seeds, such as `untrained` on a frozen encoder.
    """
    for members in grouped(runs, "dataset", "method").values():
        if len(members) < 2:
            continue
        consistency = neighbour_consistency([run.neighbours for run in members])
        if np.ptp(consistency) == 0:
            continue
        for run in members:
            images = run.images.drop(columns=measured_scores(run.images)).assign(neighbour_consistency=consistency)
            estimates = Bootstrap(len(images), _RESAMPLES, seed=0).estimates(of_images(images))
            run.measures.update({name: estimate._asdict() for name, estimate in estimates.items()})


class Task(NamedTuple):
    """A use for which scores are ranked.

    Args:
        name: in the table. measure: of a run's metrics.json, before the slash and the score.
        label: for people.
        larger: whether a larger value of the measure is better.
        images: gives the measure and its influences from the tables of a run; None where a run lacks it. `SEEDS`, which
            compares several runs, has no such function.
    """

    name: str
    measure: str
    label: str
    larger: bool = True
    images: Callable[[Run, str], Linear | None] | None = None


def _judged(rows_of: Callable[[Run], pd.DataFrame], column: str) -> Callable[[Run, str], Linear | None]:
    def measure(run: Run, score: str) -> Linear | None:
        rows = outcomes(rows_of(run), column)
        if score not in rows or not len(rows):
            return None
        return influence.auroc(rows[score], rows[column], rows["index"].to_numpy(), len(run.images))

    return measure


def _below_whole(rows_of: Callable[[Run], pd.DataFrame]) -> Callable[[Run, str], Linear | None]:
    def measure(run: Run, score: str) -> Linear | None:
        rows = rows_of(run)
        if score not in rows or not len(rows):
            return None
        image = rows["index"].to_numpy()
        lead = run.images[score].to_numpy()[image] - rows[score].to_numpy()
        return influence.mean((np.sign(lead) + 1) / 2, image, len(run.images))

    return measure


def _human_doubt(run: Run, score: str) -> Linear | None:
    known = {score, "label_entropy"} <= set(run.images)
    return influence.spearman(run.images[score], run.images["label_entropy"]) if known else None


def _other_images(dataset: str) -> Callable[[Run, str], Linear | None]:
    def measure(run: Run, score: str) -> Linear | None:
        others = run.ood[run.ood["dataset"] == dataset]
        if score not in others or not len(others):
            return None
        both, inside = np.concatenate([run.images[score], others[score]]), len(run.images)
        return influence.auroc(both, np.arange(len(both)) < inside, np.arange(len(both)), len(both))

    return measure


def _parts(run: Run) -> pd.DataFrame:
    return run.crops[run.crops["area"] < 1]


def _changed(run: Run) -> pd.DataFrame:
    return run.corrupted[run.corrupted["severity"] > 0]


_IMAGES, _CROPS = attrgetter("images"), attrgetter("crops")
_TASKS = (
    Task("errors", "auroc_correct", "errors", images=_judged(_IMAGES, "correct")),
    Task("errors_on_crops", "auroc_crop_correct", "errors on crops", images=_judged(_CROPS, "correct")),
    Task("errors_on_corruptions", "auroc_corrupted_correct", "errors, corrupted", images=_judged(_changed, "correct")),
    Task("retrieval", "r_auroc", "retrieval (R-AUROC)", images=_judged(_IMAGES, "neighbour_correct")),
    Task("lost_information", "crop_below_whole", "crops below whole", images=_below_whole(_parts)),
    Task("corruptions_below_clean", "corrupted_below_clean", "corrupted below clean", images=_below_whole(_changed)),
    Task("human_doubt", "spearman_label_entropy", "human doubt", larger=False, images=_human_doubt),
)


def tasks(runs: list[Run]) -> list[Task]:
    """The tasks whose measure any of the runs has, and the agreement over seeds."""
    names = dict.fromkeys(name.partition("/")[0] for run in runs for name in run.measures)
    others = [name.removeprefix(_OTHERS) for name in names if name.startswith(_OTHERS)]
    out = [task for task in _TASKS if task.measure in names]
    out += [Task(f"other_{o}", _OTHERS + o, f"images of {o}", images=_other_images(o)) for o in others]
    return [*out, Task(SEEDS, SEEDS, "agreement of seeds")]


def leaderboard_table(runs: list[Run]) -> pd.DataFrame:
    """A row per data set, task and score of a method that has it: `COLUMNS`, which docs/reading.md explains."""
    return _table(tuple(runs)).copy()


@lru_cache(1)  # a table and a figure ask for it
def _table(runs: tuple[Run, ...]) -> pd.DataFrame:
    parts = []
    for dataset, members in grouped(list(runs), "dataset").items():
        for task in tasks(members):
            rows = list(_rows(task, grouped(members, "method")))
            parts.append(pd.DataFrame(rows, columns=COLUMNS[1:10] + ("measured",)).assign(dataset=dataset))
            _rank(parts[-1], members, task)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return table[list(COLUMNS)]


def _rows(task: Task, methods: dict[str, list[Run]]):
    """A row per score of each method: the columns from `task` to `seeds`, and its `Candidate` for ranks."""
    for method, runs in methods.items():
        for score in measured_scores(runs[0].images):
            made = _agreement(runs, score) if task.name == SEEDS else _measured(task, runs, score)
            if made is not None:
                estimate, seeds, measured = made
                needs = scores.score(score).needs
                yield (task.name, task.measure, method, score, needs, *estimate[:3], seeds, measured)


def _measured(task: Task, runs: list[Run], score: str) -> tuple[Estimate, int, Candidate | None] | None:
    found = [estimate_of(run, f"{task.measure}/{score}") for run in runs]
    found = [estimate for estimate in found if np.isfinite(estimate).all()]
    if not found:
        return None
    low, high = (-1.0, 1.0) if task.measure.startswith("spearman") else (0.0, 1.0)
    estimate = over_seeds(found)
    estimate = estimate._replace(ci_low=max(low, estimate.ci_low), ci_high=min(high, estimate.ci_high))
    linear = [one for run in runs if task.images and (one := task.images(run, score)) is not None]
    if len(linear) < len(runs):
        return estimate, len(found), None
    sign = 1 if task.larger else -1
    values, by_image = np.array([one.value for one in linear]), np.mean([one.influence for one in linear], axis=0)
    return estimate, len(found), Candidate(sign * values, sign * by_image, runs[0].method)


def _agreement(runs: list[Run], score: str) -> tuple[Estimate, int, Candidate] | None:
    """Mean rank correlation of a score over pairs of seeds, with the pseudo-values of the jackknife for the seeds.

    A seed's pseudo-value is S times the mean over all pairs, less S - 1 times that over the pairs without it: their
    mean is the first, and their spread says how much the choice of seeds moves it.
    """
    n = len(runs)
    if n < 3:
        return None
    both = [(i, j) for j in range(n) for i in range(j)]
    pairs = {
        (i, j): pair
        for i, j in both
        if (pair := influence.spearman(runs[i].images[score], runs[j].images[score])) is not None
    }
    if len(pairs) < len(both):
        return None
    mean = np.mean([pair.value for pair in pairs.values()])
    without = [np.mean([pair.value for which, pair in pairs.items() if k not in which]) for k in range(n)]
    pseudo = n * mean - (n - 1) * np.array(without)
    by_image = np.mean([pair.influence for pair in pairs.values()], axis=0)
    half = Errors(float(np.sqrt(by_image @ by_image)), float(pseudo.std(ddof=1)), n).half_width()
    low, high = np.clip([mean - half, mean + half], -1, 1)
    estimate = Estimate(float(mean), float(low), float(high), len(by_image))
    return estimate, n, Candidate(pseudo, by_image, runs[0].method)


def _rank(table: pd.DataFrame, runs: list[Run], task: Task) -> None:
    """Add the columns of ranks: among all scores that need no labels, and which are best within their method."""
    numbered, told = ("rank", "rank_low", "rank_high"), ("best", "best_of_method")
    for column in numbered:
        table[column] = pd.array([pd.NA] * len(table), dtype="Int64")
    table[list(told)] = ""
    others = task.measure.removeprefix(_OTHERS)
    sizes = [len(runs[0].images)]
    if task.measure.startswith(_OTHERS):
        sizes.append(int((runs[0].ood["dataset"] == others).sum()))
    free = [i for i in table.index if table["needs"][i] != scores.LABELS and table["measured"][i] is not None]
    seeds = grouped(runs, "method")
    if len({tuple(run.seed for run in seeds[table["method"][i]]) for i in free}) > 1:
        return  # a difference between methods could be one between seeds
    if free:
        # On a frozen encoder the scores of the features are the same for all methods: one score, one rank.
        first: dict[tuple, int] = {}
        same = [first.setdefault(_content(table.loc[i]), i) for i in free]
        found = ranks([table["measured"][i] for i in first.values()], sizes, _RESAMPLES, seed=0)
        place = {i: n for n, i in enumerate(first.values())}
        of_rows = [place[i] for i in same]
        for column, numbers in zip(numbered, found, strict=True):
            table.loc[free, column] = numbers[of_rows]
        table.loc[free, "best"] = np.where(found.low[of_rows] == 1, "yes", "no")
    for _, rows in table.loc[free].groupby("method", sort=False):
        found = ranks(list(rows["measured"]), sizes, _RESAMPLES, seed=0)
        table.loc[rows.index, "best_of_method"] = np.where(found.low == 1, "yes", "no")


def _content(row: pd.Series) -> tuple[str, bytes, bytes]:
    """Key that is equal for a score that several methods share: its name, its values and their influences."""
    measured: Candidate = row["measured"]
    return row["score"], measured.values.tobytes(), measured.influence.tobytes()
