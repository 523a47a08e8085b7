"""Step `pretrain`: train one encoder on one data set."""

import hashlib
import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pandas as pd

from vi_simsiam.config.encoder_params import weights_checksum, weights_folder
from vi_simsiam.config.schema import AugmentationParams, PretrainParams, UntrainedParams, parse
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import remove_unfinished, replacing, sha256
from vi_simsiam.core.record import IDENTITY, RunRecord, new_result
from vi_simsiam.data.store import Store
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.methods import encoders
from vi_simsiam.models import reference, saved
from vi_simsiam.training import launch, trainer
from vi_simsiam.training.devices import check_devices
from vi_simsiam.training.history import HISTORY
from vi_simsiam.transforms.views import Views


def main() -> None:
    args = job_arguments(__doc__, "store", "out", "scratch", job=IDENTITY).parse_args()
    params = parse("pretrain", args.params, args.method)
    if isinstance(params, PretrainParams) and params.processes > 1 and launch.started() == 1:
        check_devices(params, best_device())
        launch.start(params.devices, sys.executable, *sys.orig_argv[1:])
        return
    with launch.distributed_worker() as first:
        _train(args, params, first)


def _train(args: Namespace, params: PretrainParams | UntrainedParams, first: bool) -> None:
    weights = weights_checksum(params.backbone.name, params.backbone.weights)
    weights_from = weights_folder(params.backbone.weights)
    folders = [args.store] if weights_from is None else [args.store, Path(weights_from)]
    made = RunRecord("pretrain", args.params, folders, **{name: getattr(args, name) for name in IDENTITY})
    store = Store.open_verified(args.store)
    augmentation = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    checkpoint = args.scratch / "pretrain" / f"{_key(args, weights)}.safetensors"
    features = args.scratch / "features"
    model, history = trainer.pretrain(args.method, params, store, augmentation, args.seed, checkpoint, features)
    if not first:
        return
    if weights_checksum(params.backbone.name, params.backbone.weights) != weights:
        raise Problem(f"pretrain.backbone.weights = {params.backbone.weights} changed while it was read. Run again.")
    # Both are empty for a ResNet of the project that begins with random weights.
    optional = {"weights": weights, "software": encoders.software(params.backbone)}
    description = saved.describe(
        args.method,
        args.params,
        model.images,
        dataset=args.dataset,
        seed=args.seed,
        classes=store.classes,
        **{name: value for name, value in optional.items() if value},
    )
    device = str(best_device()) if history else "cpu"
    entries: dict[str, Any] = {} if weights is None else {"weights": weights}
    with new_result(args.out) as out:
        saved.save(out, model, description)
        reference.write(out, model, store)
        with replacing(out / "history.csv") as temporary:
            pd.DataFrame(history, columns=HISTORY).to_csv(temporary, index=False)
        made.write(out, device, **entries)
    checkpoint.unlink(missing_ok=True)
    remove_unfinished(checkpoint)


def _key(args, weights: str | None) -> str:
    """Name of the checkpoint: a hash of everything that the training depends on, so that no other training is resumed.

    The number of devices and machines is not in it: a training that one GPU began can end on two.
    """
    params = {name: value for name, value in args.params.items() if name not in ("devices", "nodes")}
    code = sorted(Path(__file__).parent.glob("vi_simsiam/**/*.py"))
    inputs = [sha256(args.store / "store.json"), weights]
    parts = [args.dataset, args.method, args.seed, params, *inputs, *map(sha256, code)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    run(main)
