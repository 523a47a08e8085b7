"""Fill the tables in the pages from the results in the repository: `python docs/tables.py`.

A table stands between two comments, of which the first says what it shows and where from:

    <!-- results docs/results/digits digits -->      every method's main measures, over the seeds
    <!-- claims docs/results/digits digits -->       the claims with their verdicts
    <!-- verdicts -->                         the claims' verdicts on each data set
    <!-- best -->                             by task, on which data sets each score without labels is among the best
    <!-- kappa -->                            by task, kappa and its rank on each data set
    <!-- summary -->                          what a run prints at its end
    <!-- study studies/digits -->             the table of a study, from its .csv
    <!-- quantiles docs/results/x x -->       accuracy by quantile of certainty, from quantiles.csv
    <!-- leaderboard docs/results/digits digits -->  by task, which certainty scores are not worse than the best
    <!-- csv benchmarks/results.csv AVX2 -->  a file as it is, or its rows of a machine
    <!-- end -->

`study.py` makes a study's .csv. A test compares the pages with what this script would write.
"""

import csv
import math
import re
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from vi_simsiam.stats.intervals import Estimate, over_seeds  # noqa: E402
from vi_simsiam.uncertainty import scores  # noqa: E402

PAGES = (
    "README.md", "docs/performance.md", "docs/results.md", "docs/results_by_data_set.md", "docs/scale.md",
    "docs/studies.md",
)  # fmt: skip
RUNS = {  # of a table over data sets: where, and which
    "digits": ("docs/results/digits", "digits"),
    "CIFAR-10, frozen encoder": ("docs/results/cifar10_lite", "cifar10_lite"),
    "Fashion-MNIST, frozen encoder": ("docs/results/fashion_lite", "fashion_lite"),
    "clip art, frozen encoder": ("docs/results/clip_art", "clip_art"),
    "CIFAR-10": ("docs/results/cifar10_jpeg", "cifar10_jpeg"),
    "Fashion-MNIST": ("docs/results/fashion_mnist", "fashion_mnist"),
}
LEADERBOARDS = [name for name, (folder, _) in RUNS.items() if (ROOT / folder / "leaderboard.csv").exists()]
OWN = "own score"
# Rows of a table of results; `own score` stands for the score that a method's latent distribution offers.
MEASURES = (
    "knn_top1", "probe_top1", "crop_knn_top1", f"spearman_crop_area/{OWN}", f"crop_below_whole/{OWN}",
    f"auroc_crop_correct/{OWN}", "auroc_crop_correct/knn_density", "auroc_crop_correct/probe_confidence",
    "auroc_crop_correct/crop_area", f"auroc_correct/{OWN}", "auroc_correct/kappa_view_mean",
    "auroc_correct/knn_density", "auroc_correct/probe_confidence", f"r_auroc/{OWN}", "r_auroc/knn_density",
    f"e_aurc/{OWN}", "e_aurc/probe_confidence", "spearman_view_agreement/kappa", "expected_cosine_mean",
)  # fmt: skip


def main() -> None:
    for name in PAGES:
        page = ROOT / name
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """A page with every table made anew."""
    return re.sub(
        rf"(<!-- ({'|'.join(_TABLES)})(?: (\S+))?(?: (\S+))? -->\n).*?(<!-- end -->)",
        lambda m: m[1] + _TABLES[m[2]](*(part for part in (m[3], m[4]) if part)) + "\n" + m[5],
        text,
        flags=re.DOTALL,
    )


def results(folder: str, dataset: str) -> str:
    """A column per method, a row per measure: mean over the seeds and its interval."""
    rows = [row for row in _csv(ROOT / folder / "measures.csv") if row["dataset"] == dataset]
    found: dict[tuple[str, str], list[Estimate]] = {}
    for row in rows:
        values = Estimate(*(float(row[name]) for name in Estimate._fields))
        for name in names(row["measure"]):
            found.setdefault((row["method"], name), []).append(values)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = []
    for measure in MEASURES:
        cells = [_interval(_possible(over_seeds(found.get((method, measure), [])), measure)) for method in methods]
        if set(cells) != {"-"}:
            lines.append([f"`{measure}`", *cells])
    return _table(["", *(f"`{method}`" for method in methods)], lines)


def names(measure: str) -> list[str]:
    """A measure, and its name with `own score` where its score is one that a method's latent distribution offers."""
    kind, _, score = measure.partition("/")
    return [measure, f"{kind}/{OWN}"] if score in scores.OWN else [measure]


def claims(folder: str, dataset: str) -> str:
    """A row per claim: estimate, interval, verdict, that with the correction, and what was too small to be decided."""
    lines = []
    for row in _csv(ROOT / folder / "claims.csv"):
        if row["dataset"] == dataset:
            values = _interval(Estimate(*(float(row[name]) for name in ("estimate", "ci_low", "ci_high")), 0))
            corrected = row["verdict_holm"] if row["verdict_holm"] != row["verdict"] else "the same"
            decidable = f"±{float(row['decidable']):.3f}" if row["verdict"] == "inconclusive" else ""
            lines.append([f"`{row['claim']}`", values, row["verdict"], corrected, decidable])
    return _table(["claim", "estimate [95 % interval]", "verdict", "corrected", "decides from"], lines)


def verdicts() -> str:
    """A row per claim, a column per data set; in bold a verdict that stands the correction for the number of claims."""
    found = {}
    for name, (folder, dataset) in RUNS.items():
        for row in _csv(ROOT / folder / "claims.csv"):
            if row["dataset"] == dataset:
                stands = row["verdict"] == row["verdict_holm"] != "inconclusive"
                found[row["claim"], name] = f"**{row['verdict']}**" if stands else row["verdict"]
    every = dict.fromkeys(claim for claim, _ in found)
    rows = [[f"`{claim}`", *(found.get((claim, name), "-") for name in RUNS)] for claim in every]
    return _table(["claim", *RUNS], rows)


TASKS = {
    "errors": "errors, whole images", "errors_on_crops": "errors, crops", "errors_on_corruptions": "errors, corrupted",
    "retrieval": "wrong neighbours", "lost_information": "an image above its crops",
    "corruptions_below_clean": "an image above its corruptions", "human_doubt": "human doubt",
    "seed_agreement": "the same order in another seed",
}  # fmt: skip


def leaderboard(folder: str, dataset: str) -> str:
    """A row per task: the best score without labels, those that are not worse, kappa's place, the best with labels."""
    lines = []
    for task, (ranked, labelled) in _by_task(folder, dataset).items():
        everyone = len({row["method"] for row in ranked})
        first = [row for row in ranked if row["rank"] == "1"]
        others = [row for row in ranked if row["best"] == "yes" and row not in first]
        most = max((float(row["estimate"]) for row in labelled), default=None)
        known = [row for row in labelled if float(row["estimate"]) == most]
        yardstick = f"{_named(known, everyone)} {_estimate(known[0])}" if known else "-"
        names = _named(first, everyone), _named(others, everyone)
        lines.append([_task(task), f"{names[0]} {_estimate(first[0])}", names[1] or "-", _kappa(ranked), yardstick])
    return _table(["for", "best without labels", "not worse, so far as can be told", "κ: rank", "with labels"], lines)


def best() -> str:
    """A row per score, a column per task: the data sets on which no other, of any method, is shown to be better."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in LEADERBOARDS:
        for task, (ranked, _) in _by_task(*RUNS[name]).items():
            for row in ranked:
                where = found.setdefault(row["score"], {}).setdefault(task, [])
                short = name.partition(",")[0]
                if row["best"] == "yes" and short not in where:
                    where.append(short)
    tasks = list(dict.fromkeys(task for by_task in found.values() for task in by_task))
    rows = sorted(found.items(), key=lambda item: -sum(map(len, item[1].values())))
    lines = []
    for score, by_task in rows:
        cells = [", ".join(by_task[task]) or "no" if task in by_task else "-" for task in tasks]
        lines.append([f"`{score}`", *cells])
    return _table(["score", *map(_task, tasks)], lines)


def kappa() -> str:
    """A row per task, a column per data set: kappa's estimate, its rank of how many scores, the ranks left open."""
    found = {name: _by_task(*RUNS[name]) for name in LEADERBOARDS}
    lines = []
    for task in dict.fromkeys(task for by_task in found.values() for task in by_task):
        cells = [_kappa(by_task[task][0]) if task in by_task else "-" for by_task in found.values()]
        lines.append([_task(task), *cells])
    return _table(["for", *found], lines)


def _by_task(folder: str, dataset: str) -> dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]]:
    """Of each task of a leaderboard that ranks any: the ranked rows, the best first, and the rows with labels."""
    rows = [row for row in _csv(ROOT / folder / "leaderboard.csv") if row["dataset"] == dataset]
    found = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        ranked = sorted((row for row in of_task if row["rank"]), key=lambda row: int(row["rank"]))
        if ranked:
            found[task] = ranked, [row for row in of_task if row["needs"] == "labels"]
    return found


def _task(task: str) -> str:
    return TASKS.get(task, task.replace("other_", "images of "))


def _kappa(ranked: list[dict[str, str]]) -> str:
    """Kappa's estimate and place among the ranked rows of a task."""
    (row,) = [row for row in ranked if row["score"] == "kappa"] or [None]
    count = len({(row["score"], row["estimate"], row["rank"]) for row in ranked})  # what methods share is one
    return f"{_estimate(row)}: {row['rank']} of {count} ({_ranks(row)})" if row else "-"


def _named(rows: list[dict[str, str]], everyone: int) -> str:
    """Scores with their methods, in the order of the rows: "`a` (x, y), `b` (x)", or "`a` (all)" of that many."""
    methods: dict[str, list[str]] = {}
    for row in rows:
        methods.setdefault(row["score"], []).append(row["method"])
    found = [(score, "all" if len(names) == everyone > 1 else ", ".join(names)) for score, names in methods.items()]
    return ", ".join(f"`{score}` ({names})" for score, names in found)


def _estimate(row: dict[str, str]) -> str:
    return _interval(Estimate(*(float(row[name]) for name in ("estimate", "ci_low", "ci_high")), 0))


def _ranks(row: dict[str, str]) -> str:
    return f"{row['rank_low']} to {row['rank_high']}"


def study(name: str) -> str:
    """A row per variant: mean ± standard deviation over its seeds, or why there is none."""
    table = pd.read_csv(ROOT / f"{name}.csv")
    measures = [column for column in table if f"{column} sd" in table]
    which = ["variant", "method"] if table["method"].nunique() > 1 else ["variant"]
    lines = []
    for _, row in table.iterrows():
        cells = [_spread(row[column], row[f"{column} sd"]) for column in measures]
        if isinstance(row["stopped"], str):
            cells = [row["stopped"], *[""] * (len(measures) - 1)]
        lines.append([*row[which], *cells])
    return _table([*which, *(f"`{column}`" for column in measures)], lines)


def quantiles(folder: str, dataset: str) -> str:
    """Accuracy of the probe on whole images by quantile of certainty: mean over the seeds and its interval."""
    found: dict[tuple[str, str], dict[str, list[Estimate]]] = {}
    for row in _csv(ROOT / folder / "quantiles.csv"):
        if (row["dataset"], row["on"], row["classifier"]) == (dataset, "images", "probe"):
            values = Estimate(*(float(row[name]) for name in ("accuracy", "ci_low", "ci_high", "n")))
            found.setdefault((row["method"], row["score"]), {}).setdefault(row["quantile"], []).append(values)
    shown = {key: cells for key, cells in found.items() if key[1] in (*scores.OWN, "knn_density", "probe_confidence")}
    lines: dict[tuple[str, ...], list[str]] = {}  # of what methods share, one
    for (method, score), by_quantile in shown.items():
        cells = [_interval(_possible(over_seeds(values), "accuracy")) for values in by_quantile.values()]
        lines.setdefault((f"`{score}`", *cells), []).append(f"`{method}`")
    count, everyone = len(next(iter(lines))) - 1, len({method for method, _ in found})
    rows = [["all" if len(methods) == everyone > 1 else ", ".join(methods), *line] for line, methods in lines.items()]
    return _table(["method", "score", *(f"{i + 1} of {count}" for i in range(count))], rows)


def table(path: str, machine: str = "") -> str:
    """A .csv file, or its rows of a machine whose name has this word, which the text names."""
    of_it = [row for row in _csv(ROOT / path) if machine in row.get("machine", "")]
    rows = [{name: cell for name, cell in row.items() if name != "machine"} for row in of_it]
    return _table(list(rows[0]), [list(row.values()) for row in rows])


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


_TABLES = {
    "results": results,
    "claims": claims,
    "verdicts": verdicts,
    "best": best,
    "kappa": kappa,
    "leaderboard": leaderboard,
    "study": study,
    "quantiles": quantiles,
    "csv": table,
}


def _csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _possible(found: Estimate, measure: str) -> Estimate:
    """The interval without values that the measure cannot take: few seeds that differ make it wide."""
    lowest = -1.0 if measure.startswith("spearman") else 0.0
    return found._replace(ci_low=max(lowest, found.ci_low), ci_high=min(1.0, found.ci_high))


def _interval(found: Estimate) -> str:
    return "-" if math.isnan(found.estimate) else f"{found.estimate:.3f} [{found.ci_low:.3f}, {found.ci_high:.3f}]"


def _spread(mean: float, deviation: float) -> str:
    if math.isnan(mean):
        return "-"
    return f"{mean:.3f}" if math.isnan(deviation) else f"{mean:.3f} ± {deviation:.3f}"


if __name__ == "__main__":
    main()
