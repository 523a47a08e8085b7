"""Test images by how certain a method is of them, with the paths of their files: what to look at first."""

import numpy as np
import pandas as pd

from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import own_score

COLUMNS = ("dataset", "method", "rank", "path", "index", "class", "score", "certainty", "spread")


def ranking_table(runs: list[Run]) -> pd.DataFrame:
    """A row per test image of every method that has a certainty score of its own, the least certain first.

    Columns: dataset, method; rank, 1 for the least certain; path of the image in its archive (its number in a data set
    that is no archive of files); index, its row in the tables of the runs; class, blank without a label; score, the
    name of the method's own score; certainty, its mean over the seeds; spread, its standard deviation over them (NaN
    of one seed).
    """
    parts = []
    for (dataset, method), members in grouped(runs, "dataset", "method").items():
        score = own_score(members[0].images)
        if score is None:
            continue
        images, classes = members[0].images[["index", "label"]], members[0].store["classes"]
        values = np.array([run.images[score] for run in members], float)
        table = pd.DataFrame(
            {
                "dataset": dataset,
                "method": method,
                "path": members[0].sources.set_index("index")["path"].reindex(images["index"]).to_numpy(),
                "index": images["index"].to_numpy(),
                "class": [classes[label] if label >= 0 else None for label in images["label"]],
                "score": score,
                "certainty": values.mean(0),
                "spread": values.std(0, ddof=1) if len(values) > 1 else np.nan,
            }
        )
        table = table.sort_values("certainty", kind="stable")
        table["rank"] = np.arange(1, len(table) + 1)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))
