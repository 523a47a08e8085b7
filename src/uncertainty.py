"""Step `uncertainty`: every certainty score, for whole test images, graded crops and augmented views."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vi_simsiam import certainty, models
from vi_simsiam.command import job_arguments, run
from vi_simsiam.features import batches, best_device
from vi_simsiam.files import read_json, replacing, write_json
from vi_simsiam.linear_probe import LinearProbe
from vi_simsiam.measures import measure
from vi_simsiam.params import parse
from vi_simsiam.record import write_run_record
from vi_simsiam.store import Store


def main() -> None:
    started = time.time()
    job = ("dataset", "method", "seed")
    args = job_arguments(__doc__, "store", "model", "probe", "out", job=job).parse_args()
    params = parse("uncertainty", args.params)
    store = Store.open(args.store)
    store.verify()
    device = best_device()
    model, _ = models.load(args.model, device)
    probed = read_json(args.probe / "probe.json")
    scorer = certainty.Scorer(
        model,
        LinearProbe.load(args.probe / "classifier.safetensors"),
        torch.from_numpy(np.load(args.probe / "features_train.npy")),
        torch.from_numpy(np.array(store.labels("train"))),
        probed["k"],
        probed["temperature"],
    )
    pictures, truth = store.images("test"), np.array(store.labels("test"))

    images = pd.DataFrame({"index": range(len(truth)), "label": truth})
    images = _judged(images, scorer.score(batches(pictures, params.batch_size)))
    images["view_agreement"] = certainty.view_agreement(model, store.views("test"), params.batch_size)

    boxes = certainty.graded_boxes(len(truth), params.crop_areas, store.size, params.seed)
    crops = pd.DataFrame(boxes).assign(label=truth[boxes["index"]])
    crops = _judged(crops, scorer.score(certainty.crop_batches(pictures, boxes, params.batch_size)))

    views = store.view_parameters("test").copy()
    views["label"] = truth[views["index"]]
    flat = store.views("test").reshape(len(views), *pictures.shape[1:])
    views = _judged(views, scorer.score(batches(flat, params.batch_size)))

    for name, table in (("images", images), ("crops", crops), ("views", views)):
        _write(table, args.out / f"{name}.parquet")
    measures = measure(images, crops, views, params.bootstrap, params.seed)
    write_json(args.out / "metrics.json", {name: estimate._asdict() for name, estimate in measures.items()})
    write_run_record(
        args.out, "uncertainty", args.params, started, str(device),
        dataset=args.dataset, method=args.method, seed=args.seed,
    )  # fmt: skip


def _judged(table: pd.DataFrame, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """The table with the scores' columns, and whether the predictions among them are right."""
    table = table.assign(**scores)
    table["correct"] = table["predicted"] == table["label"]
    table["knn_correct"] = table["knn_predicted"] == table["label"]
    return table


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


if __name__ == "__main__":
    run(main)
