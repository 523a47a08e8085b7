"""Write the compact tables that the pages show, from the recorded results: `python docs/tables.py`.

In each folder of docs/results that has the tables of a run:

    by_method.csv   every method's main measures, over the seeds
    by_fifth.csv    accuracy of the probe by fifths of certainty
    by_task.csv     the best certainty scores for each task
    verdicts.csv    the claims with their verdicts

Over all data sets docs/results/kappa.csv. The site shows a linked .csv as a table (site_hook.py). Three tables are in a
page itself, each between a comment with its name and `<!-- end -->`: `methods`, `best` and `verdicts`. A test compares
files and pages with what this script would write.
"""

import csv
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from vi_simsiam.evaluation import scores  # noqa: E402
from vi_simsiam.stats.intervals import Estimate, over_seeds  # noqa: E402

PAGES = ("README.md", "docs/results.md")
RESULTS = ROOT / "docs/results"
RUNS = {  # name in a table over data sets, folder of docs/results
    "digits": "digits",
    "CIFAR-10, frozen encoder": "cifar10_lite",
    "Fashion-MNIST, frozen encoder": "fashion_lite",
    "clip art, frozen encoder": "clip_art",
    "CIFAR-10": "cifar10_jpeg",
    "Fashion-MNIST": "fashion_mnist",
}
OWN = "own score"
# Rows of by_method.csv; `own score` is the certainty score that a method's latent distribution offers.
MEASURES = (
    "knn_top1", "probe_top1", "crop_knn_top1", f"spearman_crop_area/{OWN}", f"crop_below_whole/{OWN}",
    f"auroc_crop_correct/{OWN}", "auroc_crop_correct/knn_density", "auroc_crop_correct/probe_confidence",
    "auroc_crop_correct/crop_area", f"auroc_correct/{OWN}", "auroc_correct/kappa_view_mean",
    "auroc_correct/knn_density", "auroc_correct/probe_confidence", f"r_auroc/{OWN}", "r_auroc/knn_density",
    f"e_aurc/{OWN}", "e_aurc/probe_confidence", "spearman_view_agreement/kappa", "expected_cosine_mean",
)  # fmt: skip
# Columns of the README's table of methods.
HEADLINES = {
    "accuracy": "probe_top1",
    "accuracy on crops": "crop_knn_top1",
    "certainty follows the crop's area (rank correlation)": f"spearman_crop_area/{OWN}",
    "certainty finds errors on crops (AUROC)": f"auroc_crop_correct/{OWN}",
}
TASKS = {
    "errors": "errors, whole images", "errors_on_crops": "errors, crops", "errors_on_corruptions": "errors, corrupted",
    "retrieval": "wrong neighbours", "lost_information": "an image above its crops",
    "corruptions_below_clean": "an image above its corruptions", "human_doubt": "human doubt",
    "seed_agreement": "the same order in another seed",
}  # fmt: skip
Table = list[list[str]]  # the first row is the head


def main() -> None:
    """Write all tables."""
    for path, table in files():
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    for name in PAGES:
        page = ROOT / name
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


def files() -> Iterator[tuple[Path, Table]]:
    """Each file that this script writes, with its table."""
    for folder in sorted(RESULTS.iterdir()):
        if (folder / "measures.csv").exists():
            yield folder / "by_method.csv", by_method(folder)
            yield folder / "by_fifth.csv", by_fifth(folder)
            yield folder / "verdicts.csv", claims(folder)
        if (folder / "leaderboard.csv").exists():
            yield folder / "by_task.csv", by_task(folder)
    yield RESULTS / "kappa.csv", kappa()


def filled(text: str) -> str:
    """A page with its tables filled in."""
    return re.sub(
        rf"(<!-- ({'|'.join(_IN_PAGES)}) -->\n).*?(<!-- end -->)",
        lambda m: m[1] + _markdown(_IN_PAGES[m[2]]()) + "\n" + m[3],
        text,
        flags=re.DOTALL,
    )


def by_method(folder: Path) -> Table:
    """A row per measure, a column per method: mean over the seeds and its interval."""
    measured = _over_seeds(folder)
    methods = list(dict.fromkeys(method for method, _ in measured))
    lines = []
    for measure in MEASURES:
        cells = [_interval(measured.get((method, measure))) for method in methods]
        if set(cells) != {"-"}:
            lines.append([measure, *cells])
    return [["measure", *methods], *lines]


def methods() -> Table:
    """A row per method of the digits' run, a column per headline measure."""
    measured = _over_seeds(RESULTS / "digits")
    every = dict.fromkeys(method for method, _ in measured)
    rows = [[f"`{m}`", *(_interval(measured.get((m, name)), 2) for name in HEADLINES.values())] for m in every]
    return [["method", *HEADLINES], *rows]


def names(measure: str) -> list[str]:
    """The names of a measure: its name, and for a method's own score also its name with `own score`."""
    kind, _, score = measure.partition("/")
    return [measure, f"{kind}/{OWN}"] if score in scores.OWN else [measure]


def claims(folder: Path) -> Table:
    """A row per claim: estimate, interval, verdict, corrected verdict, smallest effect that could be decided."""
    lines = [["claim", "estimate [95 % interval]", "verdict", "corrected", "decides from"]]
    for row in _csv(folder / "claims.csv"):
        corrected = row["verdict_holm"] if row["verdict_holm"] != row["verdict"] else "the same"
        decidable = f"±{float(row['decidable']):.3f}" if row["verdict"] == "inconclusive" else ""
        lines.append([row["claim"], _estimate(row), row["verdict"], corrected, decidable])
    return lines


def verdicts() -> Table:
    """A row per claim, a column per data set; bold: a verdict that survives the correction for multiple testing."""
    found = {}
    for name, folder in RUNS.items():
        for row in _csv(RESULTS / folder / "claims.csv"):
            survives = row["verdict"] == row["verdict_holm"] != "inconclusive"
            found[row["claim"], name] = f"**{row['verdict']}**" if survives else row["verdict"]
    every = dict.fromkeys(claim for claim, _ in found)
    return [["claim", *RUNS], *([f"`{claim}`", *(found.get((claim, name), "-") for name in RUNS)] for claim in every)]


def by_task(folder: Path) -> Table:
    """A row per task: the best score without labels, those that are not worse, kappa's rank, the best with labels."""
    lines = [["for", "best without labels", "not shown to be worse", "κ: rank", "with labels"]]
    for task, (ranked, labelled) in _tasks(folder).items():
        everyone = len({row["method"] for row in ranked})
        first = [row for row in ranked if row["rank"] == "1"]
        others = [row for row in ranked if row["best"] == "yes" and row not in first]
        most = max((float(row["estimate"]) for row in labelled), default=None)
        known = [row for row in labelled if float(row["estimate"]) == most]
        yardstick = f"{_named(known, everyone)} {_estimate(known[0])}" if known else "-"
        best = f"{_named(first, everyone)} {_estimate(first[0])}"
        lines.append([_task(task), best, _named(others, everyone) or "-", _kappa(ranked), yardstick])
    return lines


def best() -> Table:
    """A row per score, a column per task: the data sets on which no other, of any method, is shown to be better."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, folder in _ranked_runs().items():
        for task, (ranked, _) in _tasks(folder).items():
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
    return [["score", *map(_task, tasks)], *lines]


def kappa() -> Table:
    """A row per task, a column per data set: kappa's estimate, its rank, the ranks that the data leave open."""
    found = {name: _tasks(folder) for name, folder in _ranked_runs().items()}
    lines = [["for", *found]]
    for task in dict.fromkeys(task for by_task in found.values() for task in by_task):
        cells = [_kappa(by_task[task][0]) if task in by_task else "-" for by_task in found.values()]
        lines.append([_task(task), *cells])
    return lines


def by_fifth(folder: Path) -> Table:
    """Accuracy of the probe on whole images by quantile of certainty: mean over the seeds and its interval."""
    found: dict[tuple[str, str], dict[str, list[Estimate]]] = {}
    for row in _csv(folder / "quantiles.csv"):
        if (row["on"], row["classifier"]) == ("images", "probe"):
            values = Estimate(*(float(row[name]) for name in ("accuracy", "ci_low", "ci_high", "n")))
            found.setdefault((row["method"], row["score"]), {}).setdefault(row["quantile"], []).append(values)
    shown = {key: cells for key, cells in found.items() if key[1] in (*scores.OWN, "knn_density", "probe_confidence")}
    lines: dict[tuple[str, ...], list[str]] = {}  # a row for each score; methods may share one
    for (method, score), by_quantile in shown.items():
        cells = [_interval(_possible(over_seeds(values), "accuracy")) for values in by_quantile.values()]
        lines.setdefault((score, *cells), []).append(method)
    count, everyone = len(next(iter(lines))) - 1, len({method for method, _ in found})
    rows = [["all" if len(which) == everyone > 1 else ", ".join(which), *line] for line, which in lines.items()]
    return [["method", "score", *(f"{i + 1} of {count}" for i in range(count))], *rows]


_IN_PAGES = {"methods": methods, "best": best, "verdicts": verdicts}


def _over_seeds(folder: Path) -> dict[tuple[str, str], Estimate]:
    """(method, measure) -> mean over the seeds with its interval, also under the name with `own score`."""
    found: dict[tuple[str, str], list[Estimate]] = {}
    for row in _csv(folder / "measures.csv"):
        values = Estimate(*(float(row[name]) for name in Estimate._fields))
        for name in names(row["measure"]):
            found.setdefault((row["method"], name), []).append(values)
    return {key: _possible(over_seeds(values), key[1]) for key, values in found.items()}


def _ranked_runs() -> dict[str, Path]:
    return {name: RESULTS / folder for name, folder in RUNS.items() if (RESULTS / folder / "leaderboard.csv").exists()}


def _tasks(folder: Path) -> dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]]:
    """Of each task of a leaderboard that ranks any: the ranked rows, the best first, and the rows with labels."""
    rows = _csv(folder / "leaderboard.csv")
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
    """Kappa's estimate and rank among the ranked rows of a task."""
    (row,) = [row for row in ranked if row["score"] == "kappa"] or [None]
    count = len(
        {(row["score"], row["estimate"], row["rank"]) for row in ranked}
    )  # a score that methods share counts once
    return f"{_estimate(row)}: {row['rank']} of {count} ({row['rank_low']} to {row['rank_high']})" if row else "-"


def _named(rows: list[dict[str, str]], everyone: int) -> str:
    """Scores with their methods, in the order of the rows: "a (x, y), b (x)", or "a (all)" of that many."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["score"], []).append(row["method"])
    return ", ".join(f"{k} ({'all' if len(v) == everyone > 1 else ', '.join(v)})" for k, v in found.items())


def _estimate(row: dict[str, str]) -> str:
    return _interval(Estimate(*(float(row[name]) for name in ("estimate", "ci_low", "ci_high")), 0))


def _markdown(table: Table) -> str:
    head, *rows = table
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


def _csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _possible(found: Estimate, measure: str) -> Estimate:
    """The interval within the range of the measure: with few seeds that differ it is wider."""
    lowest = -1.0 if measure.startswith("spearman") else 0.0
    return found._replace(ci_low=max(lowest, found.ci_low), ci_high=min(1.0, found.ci_high))


def _interval(found: Estimate | None, digits: int = 3) -> str:
    if found is None or math.isnan(found.estimate):
        return "-"
    return f"{found.estimate:.{digits}f} [{found.ci_low:.{digits}f}, {found.ci_high:.{digits}f}]"


if __name__ == "__main__":
    main()
