"""Step `pretrain`: train one encoder on one data set."""

import hashlib
import json
import time
from pathlib import Path

import pandas as pd

from vi_simsiam import models, training, training_scores
from vi_simsiam.command import job_arguments, run
from vi_simsiam.features import best_device
from vi_simsiam.files import replacing, sha256
from vi_simsiam.params import AugmentationParams, parse
from vi_simsiam.record import write_run_record
from vi_simsiam.store import Store
from vi_simsiam.views import Views


def main() -> None:
    started = time.time()
    job = ("dataset", "method", "seed")
    args = job_arguments(__doc__, "store", "out", "scratch", job=job).parse_args()
    params = parse("pretrain", args.params, args.method)
    store = Store.open(args.store)
    store.verify()
    augmentation = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    checkpoint = args.scratch / "pretrain" / f"{_key(args)}.safetensors"
    model, history = training.pretrain(args.method, params, store, augmentation, args.seed, checkpoint)
    description = models.describe(
        args.method,
        args.params,
        training.image_spec(store),
        dataset=args.dataset,
        seed=args.seed,
        classes=store.classes,
    )
    models.save(args.out, model, description)
    training_scores.write(args.out, model, store)
    with replacing(args.out / "history.csv") as temporary:
        pd.DataFrame(history, columns=training.HISTORY).to_csv(temporary, index=False)
    device = str(best_device()) if history else "cpu"
    write_run_record(
        args.out, "pretrain", args.params, started, device, dataset=args.dataset, method=args.method, seed=args.seed
    )
    checkpoint.unlink(missing_ok=True)


def _key(args) -> str:
    """Name of the checkpoint: a hash of all that the training depends on, so that nothing else is ever resumed.

    Except the number of devices: what one GPU began, two can end.
    """
    params = {name: value for name, value in args.params.items() if name != "devices"}
    code = sorted(Path(__file__).parent.glob("vi_simsiam/**/*.py"))
    parts = [args.dataset, args.method, args.seed, params, sha256(args.store / "store.json"), *map(sha256, code)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    run(main)
