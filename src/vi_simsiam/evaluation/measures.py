"""The measures of a run: how well each score orders the images. docs/reading.md defines each measure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measure_names import AUGMENTATIONS, PROPERTIES, RANKED
from vi_simsiam.stats.bootstrap import Bootstrap, Mean, Statistic
from vi_simsiam.stats.intervals import Estimate
from vi_simsiam.stats.ranks import Ranked, auroc, spearman
from vi_simsiam.stats.risk_coverage import Aurc, ExcessAurc


class Tables(NamedTuple):
    """The tables of the step `uncertainty`: a row per test image, per graded crop, per graded augmentation of an image,
    per cached view, per test image of another data set, and per corruption of an image. docs/reading.md lists their
    columns.
    """

    images: pd.DataFrame
    crops: pd.DataFrame
    graded: pd.DataFrame
    views: pd.DataFrame
    ood: pd.DataFrame
    corrupted: pd.DataFrame


class Measures(NamedTuple):
    """The measures of a run.

    Attributes:
        estimates: by name; a score's measures end on `/<score>`. Measures that are undefined on these data (all
            predictions right, a constant score, no labels) are left out.
        resampled: the measures that rank scores (`measure_names.RANKED`), a column each, with a row for each resample:
            float32, NaN where undefined.
    """

    estimates: dict[str, Estimate]
    resampled: pd.DataFrame


def measure(tables: Tables, resamples: int, seed: int) -> Measures:
    """Every measure that the tables of one run allow, with its interval.

    Args:
        resamples, seed: of the bootstrap over images. Runs with equal ones resample alike.
    """
    images, ood = tables.images, tables.ood
    statistics = {**of_images(images), **_of_crops(images, tables.crops), **_of_graded(tables.graded)}
    if "kappa" in images:
        statistics |= _of_views(images, tables.views)
    parts = [from_statistics(statistics, len(images), resamples, seed)]
    for dataset, others in ood.groupby("dataset", sort=True):
        sizes = len(images), len(others)
        parts.append(from_statistics(_of_other_images(str(dataset), images, others), sizes, resamples, seed))
    if len(tables.corrupted):
        count = tables.corrupted["index"].nunique()
        parts.append(from_statistics(_of_corrupted(images, tables.corrupted), count, resamples, seed))
    estimates = {name: estimate for part in parts for name, estimate in part.estimates.items()}
    return Measures(estimates, pd.concat([part.resampled for part in parts], axis=1))


def from_statistics(
    statistics: dict[str, Statistic | None], images: int | Sequence[int], resamples: int, seed: int
) -> Measures:
    """Estimates of statistics by name, without those that are None. Arguments as of `Bootstrap`."""
    boot = Bootstrap(images, resamples, seed)
    values = boot.resampled(statistics)
    estimates = {name: boot.estimate(one, values[name]) for name, one in statistics.items() if one is not None}
    ranked = {name: values[name].astype(np.float32) for name in values if name.partition("/")[0].startswith(RANKED)}
    return Measures(estimates, pd.DataFrame(ranked, index=range(resamples)))


def outcomes(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows with a label, where `column` (`correct` or `knn_correct`) says if the prediction is right.

    Label -1 means no label. The result is empty for a table without the column.
    """
    return table[table["label"] >= 0] if column in table else table[:0].assign(**{column: False})


def measured_scores(table: pd.DataFrame) -> list[str]:
    """The certainty scores among the columns of a table, without those that are not measured."""
    return [name for name in scores.MEASURED if name in table]


def of_images(images: pd.DataFrame) -> dict[str, Statistic | None]:
    """The measures of a table of test images, of each certainty score in it; None where one is undefined."""
    out: dict[str, Statistic | None] = {}
    properties = {name: Ranked(images[name]) for name in PROPERTIES if name in images}
    judged = outcomes(images, "correct")
    for score in measured_scores(images):
        ranked = Ranked(images[score])
        if len(judged):
            of_judged = ranked if len(judged) == len(images) else Ranked(judged[score], judged["index"])
            aurc = Aurc(of_judged, judged["correct"])
            out[f"auroc_correct/{score}"] = auroc(of_judged, judged["correct"])
            out[f"r_auroc/{score}"] = auroc(of_judged, judged["neighbour_correct"])
            out[f"aurc/{score}"], out[f"e_aurc/{score}"] = aurc, ExcessAurc(aurc)
        for name, values in properties.items():
            out[f"spearman_{name}/{score}"] = spearman(ranked, values)
    if "kappa" in images:
        out["expected_cosine_mean"] = Mean(images["expected_cosine"])
    return out


def _of_crops(images: pd.DataFrame, crops: pd.DataFrame) -> dict[str, Statistic | None]:
    image, area = crops["index"].to_numpy(), Ranked(crops["area"], crops["index"])
    judged = outcomes(crops, "correct")
    complete = len(judged) == len(crops)
    out: dict[str, Statistic | None] = {}
    if len(judged):
        area_of_judged = area if complete else Ranked(judged["area"], judged["index"])
        out = {
            "crop_knn_top1": Mean(judged["knn_correct"], judged["index"]),
            "crop_probe_top1": Mean(judged["correct"], judged["index"]),
            "auroc_crop_correct/crop_area": auroc(area_of_judged, judged["correct"]),
        }
    parts = crops[crops["area"] < 1]
    for score in measured_scores(crops):
        ranked = Ranked(crops[score], image)
        if len(judged):
            of_judged = ranked if complete else Ranked(judged[score], judged["index"])
            aurc = Aurc(of_judged, judged["correct"])
            out[f"auroc_crop_correct/{score}"] = auroc(of_judged, judged["correct"])
            out[f"aurc_crop/{score}"], out[f"e_aurc_crop/{score}"] = aurc, ExcessAurc(aurc)
        out[f"spearman_crop_area/{score}"] = spearman(ranked, area)
        if len(parts):
            lead = images[score].to_numpy()[parts["index"]] - parts[score]
            out[f"crop_below_whole/{score}"] = Mean((np.sign(lead) + 1) / 2, parts["index"])
    return out


def _of_graded(graded: pd.DataFrame) -> dict[str, Statistic | None]:
    out: dict[str, Statistic | None] = {}
    for augmentation, rows in graded.groupby("augmentation", sort=False):
        strength = Ranked(rows["strength"], rows["index"])
        for score in measured_scores(rows):
            out[f"spearman_{augmentation}/{score}"] = spearman(Ranked(rows[score], rows["index"]), strength)
    return out


def _of_corrupted(images: pd.DataFrame, corrupted: pd.DataFrame) -> dict[str, Statistic | None]:
    """The measures of graded augmentations and crops, for corruptions. Images are numbered among the corrupted ones."""
    image = np.unique(corrupted["index"], return_inverse=True)[1]
    whole = images.set_index("index").loc[corrupted["index"]]
    changed = corrupted["severity"].to_numpy() > 0
    out: dict[str, Statistic | None] = {}
    for corruption in corrupted["corruption"].unique():
        of_one = (corrupted["corruption"] == corruption).to_numpy()
        severity = Ranked(corrupted["severity"][of_one], image[of_one])
        for score in measured_scores(corrupted):
            values = Ranked(corrupted[score][of_one], image[of_one])
            out[f"spearman_corruption_{corruption}/{score}"] = spearman(values, severity)
    severity = Ranked(corrupted["severity"], image)
    rows = corrupted.assign(index=image)[changed]
    judged = outcomes(rows, "correct")
    for score in measured_scores(corrupted):
        out[f"spearman_severity/{score}"] = spearman(Ranked(corrupted[score], image), severity)
        lead = whole[score].to_numpy()[changed] - rows[score]
        out[f"corrupted_below_clean/{score}"] = Mean((np.sign(lead) + 1) / 2, rows["index"])
        if len(judged):
            ranked = Ranked(judged[score], judged["index"])
            out[f"auroc_corrupted_correct/{score}"] = auroc(ranked, judged["correct"])
    return out


def _of_views(images: pd.DataFrame, views: pd.DataFrame) -> dict[str, Statistic | None]:
    """Measures of kappa as a prediction of the agreement with other views, which it is by theory."""
    mean_over_views = views.groupby("index")["kappa"].mean()
    kappa = Ranked(views["kappa"], views["index"])
    out: dict[str, Statistic | None] = {
        "spearman_view_agreement/kappa": spearman(Ranked(mean_over_views), Ranked(images["view_agreement"]))
    }
    for name in AUGMENTATIONS:
        if name in views:
            out[f"spearman_view_{name}/kappa"] = spearman(kappa, Ranked(views[name], views["index"]))
    return out


def _of_other_images(dataset: str, images: pd.DataFrame, others: pd.DataFrame) -> dict[str, Statistic | None]:
    """Telling the test images, the positives, from those of another data set."""
    inside = np.arange(len(images) + len(others)) < len(images)
    out: dict[str, Statistic | None] = {}
    for score in measured_scores(others):
        ranked = Ranked(np.concatenate([images[score], others[score]]))
        out[f"ood_auroc_{dataset}/{score}"] = auroc(ranked, inside)
        out[f"ood_fpr95_{dataset}/{score}"] = auroc(ranked, inside, fpr95=True)
    return out
