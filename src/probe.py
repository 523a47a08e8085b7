"""Step `probe`: what a linear classifier and the nearest neighbours can read from the frozen features."""

import time

import numpy as np
import pandas as pd
import torch

from vi_simsiam import knn, linear_probe, models
from vi_simsiam.command import job_arguments, run
from vi_simsiam.errors import Problem
from vi_simsiam.features import batches, best_device, extract
from vi_simsiam.files import replacing, write_json
from vi_simsiam.params import parse
from vi_simsiam.record import write_run_record
from vi_simsiam.store import Store


def main() -> None:
    started = time.time()
    job = {"dataset": str, "method": str, "seed": int}
    args = job_arguments(__doc__, "store", "model", "out", job=tuple(job)).parse_args()
    params = parse("probe", args.params)
    store = Store.open(args.store)
    store.verify()
    device = best_device()
    model, _ = models.load(args.model, device)
    features, labels = {}, {}
    for split in ("train", "test"):
        features[split] = extract(model, batches(store.images(split), params.batch_size))["features"]
        labels[split] = torch.from_numpy(np.array(store.labels(split)))
        with replacing(args.out / f"features_{split}.npy") as temporary:
            np.save(temporary, features[split].numpy())
    _require_labels(args.dataset, labels)

    train, y = features["train"].to(device), labels["train"].to(device)
    probe = linear_probe.fit(train, y, len(store.classes), params.C)
    probe.save(args.out / "classifier.safetensors")
    test = features["test"].to(device)
    confidence, predicted = (t.cpu() for t in probe.probabilities(test).max(-1))
    neighbours = knn.predict(test, train, y, params.k, params.temperature).cpu()
    truth = labels["test"]
    table = pd.DataFrame(
        {
            "index": range(len(truth)),
            "label": truth,
            "predicted": predicted,
            "correct": predicted == truth,
            "confidence": confidence,
            "knn_predicted": neighbours,
            "knn_correct": neighbours == truth,
        }
    )
    with replacing(args.out / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    results = {
        "knn_top1": table["knn_correct"].mean(),
        "probe_top1": table["correct"].mean(),
        "probe_top1_train": (probe.probabilities(train).argmax(-1) == y).float().mean().item(),
        "n_train": len(y),
        "n_test": len(truth),
        "dim": train.shape[1],
        "k": params.k,
        "temperature": params.temperature,
    }
    write_json(args.out / "probe.json", results)
    print("  ".join(f"{name} {value:.4f}" for name, value in results.items() if name.endswith("top1")), flush=True)
    identity = {name: getattr(args, name) for name in job}
    write_run_record(args.out, "probe", args.params, started, str(device), **identity)


def _require_labels(dataset: str, labels: dict[str, torch.Tensor]) -> None:
    for split, values in labels.items():
        if (values < 0).any():
            raise Problem(
                f"{dataset}: {int((values < 0).sum())} {split} images have no label, and a probe needs labels. "
                "What can be done without: `snakemake --cores all step_pretrain`."
            )


if __name__ == "__main__":
    run(main)
