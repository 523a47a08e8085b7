"""Step `uncertainty`: all certainty scores of test images, of their crops and alterations, and of other data sets."""

from pathlib import Path

import numpy as np
import torch

from vi_simsiam.config.encoder_params import MODEL_FILES
from vi_simsiam.config.schema import parse
from vi_simsiam.core import record
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.files import read_json, replacing, sha256, write_json
from vi_simsiam.data.store import Store
from vi_simsiam.evaluation import feature_cache, scores
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.evaluation.linear import LinearProbe
from vi_simsiam.evaluation.measures import measure
from vi_simsiam.evaluation.per_image import evaluate, neighbours, own_scores
from vi_simsiam.evaluation.scorer import Scorer
from vi_simsiam.methods import method_class
from vi_simsiam.models import saved


def main() -> None:
    parser = job_arguments(__doc__, "store", "model", "probe", "out", "scratch", job=record.IDENTITY)
    parser.add_argument("--ood", nargs="*", type=Path, default=[], metavar="PATH", help="stores of other data sets")
    args = parser.parse_args()
    params = parse("uncertainty", args.params)
    scores.require_rows(args.method, method_class(args.method).certainty_scores)
    identity = {name: getattr(args, name) for name in record.IDENTITY}
    made = record.RunRecord("uncertainty", args.params, (args.store, args.model, args.probe, *args.ood), **identity)
    store, *others = (Store.open_verified(folder) for folder in (args.store, *args.ood))
    record.verify(args.model, *MODEL_FILES)
    record.verify(args.probe, *record.read(args.probe)["outputs"])
    device = best_device()
    model, _ = saved.load(args.model, device)
    feature_cache.use(model, args.scratch / "features")
    probed = read_json(args.probe / "probe.json")
    scorer = Scorer(
        model,
        LinearProbe.load(args.probe / "classifier.safetensors"),
        torch.from_numpy(np.load(args.probe / "features_train.npy")),
        torch.from_numpy(np.array(store.labels("train"))),
        probed["k"],
        probed["temperature"],
        torch.from_numpy(np.load(args.probe / "losses_train.npy")),
    )
    if not scorer.classes:
        print(f"{args.dataset} has no labels: no measures of right and wrong predictions", flush=True)
    features = np.load(args.probe / "features_test.npy")
    tables = evaluate(scorer, store, features, others, params)
    measures = measure(tables, params.bootstrap, params.seed)
    further = {"train_images": own_scores(scorer, store.images("train")), "resampled": measures.resampled}
    with record.new_result(args.out) as out:
        for name, table in (tables._asdict() | further).items():
            with replacing(out / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, index=False)
        with replacing(out / "neighbours.npy") as temporary:
            np.save(temporary, neighbours(scorer, features))
        write_json(out / "metrics.json", {name: estimate._asdict() for name, estimate in measures.estimates.items()})
        labels = None if params.soft_labels is None else sha256(Path(params.soft_labels))
        made.write(out, str(device), soft_labels=labels)


if __name__ == "__main__":
    run(main)
