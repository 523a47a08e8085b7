"""Step `probe`: fit a linear classifier to the frozen features, and test it and the nearest neighbours."""

import numpy as np
import torch

from vi_simsiam.config.encoder_params import MODEL_FILES
from vi_simsiam.config.schema import parse
from vi_simsiam.core import record
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.files import replacing, write_json
from vi_simsiam.data.store import Store
from vi_simsiam.evaluation import feature_cache
from vi_simsiam.evaluation.classify import classify
from vi_simsiam.evaluation.features import CPU, batches, best_device, extract
from vi_simsiam.models import saved


def main() -> None:
    args = job_arguments(__doc__, "store", "model", "out", "scratch", job=record.IDENTITY).parse_args()
    params = parse("probe", args.params)
    identity = {name: getattr(args, name) for name in record.IDENTITY}
    made = record.RunRecord("probe", args.params, (args.store, args.model), **identity)
    store = Store.open_verified(args.store)
    record.verify(args.model, *MODEL_FILES)
    device = best_device()
    model, _ = saved.load(args.model, device)
    input_device = device if feature_cache.use(model, args.scratch / "features") is None else CPU
    with record.new_result(args.out) as out:
        features, labels = {}, {}
        for split in ("train", "test"):
            extracted = extract(model, batches(store.images(split), params.batch_size, input_device))["features"]
            with replacing(out / f"features_{split}.npy") as temporary:
                np.save(temporary, extracted.numpy())
            features[split] = extracted.to(device)
            labels[split] = torch.from_numpy(np.array(store.labels(split))).to(device)
        probe, results, losses = classify(features, labels, len(store.classes), params)
        with replacing(out / "losses_train.npy") as temporary:
            np.save(temporary, losses.numpy())
        probe.save(out / "classifier.safetensors")
        write_json(out / "probe.json", results)
        for split in ("train", "test"):
            if results[f"n_{split}_labelled"] < results[f"n_{split}"]:
                counts = f"{results[f'n_{split}_labelled']} of {results[f'n_{split}']} {split} images of {args.dataset}"
                print(f"only {counts} have labels; classifiers and accuracies are of those", flush=True)
        named = [
            f"{name} {value:.4f}" for name, value in results.items() if name.endswith("top1") and value is not None
        ]
        print("  ".join(named) or "no labels, so no accuracies: features alone", flush=True)
        made.write(out, str(device))


if __name__ == "__main__":
    run(main)
