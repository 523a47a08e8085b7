"""What the engines ask of the parameters: the jobs that they make, what each is given, and what it needs to run.

`config` is the whole (checked) mapping of params.yaml.
"""

import json

from vi_simsiam.config import loading
from vi_simsiam.core.errors import Problem


def as_json(step: str, config: dict, dataset: str | None = None, method: str | None = None) -> str:
    """The resolved parameters of one job, as canonical JSON.

    One string, which a shell command can hold, and sorted, so that the order in params.yaml does not matter.
    """
    return json.dumps(loading.resolve(config, step, dataset, method), sort_keys=True)


def devices(config: dict, dataset: str, method: str) -> int:
    """Processes of one training, each with a GPU where there are any; 1 for what is not trained."""
    return loading.resolve(config, "pretrain", dataset, method).get("devices", 1)


def threads(config: dict, dataset: str, method: str) -> int:
    """CPU threads of one training, those of all its processes."""
    return loading.resolve(config, "pretrain", dataset)["threads"] * devices(config, dataset, method)


def ood(config: dict, dataset: str) -> list[str]:
    """Data sets whose test images are scored as out of the distribution of `dataset`."""
    return loading.resolve(config, "uncertainty", dataset)["ood"]


def all_datasets(config: dict) -> list[str]:
    """Data sets that are downloaded and stored: those of the list `datasets`, and those they are compared with."""
    return list(dict.fromkeys([*config["datasets"], *(name for d in config["datasets"] for name in ood(config, d))]))


def check_gpus(config: dict, limit: int | None) -> None:
    """Raise Problem where a training wants more GPUs than the run may use: Snakemake would count it as `limit`.

    Args:
        config: as above.
        limit: of --resources gpu=N or the profile; None: there is none, or no GPU.
    """
    for dataset in config["datasets"]:
        n = max(devices(config, dataset, method) for method in config["methods"])
        if limit is not None and n > limit:
            raise Problem(
                f"pretrain.devices = {n} of {dataset} is more than the gpu={limit} that this run may use: give "
                f"--resources gpu={n}, or set it in profiles/default/config.yaml, or lower pretrain.devices."
            )


def in_sweep(done: dict, step: str, config: dict) -> bool:
    """True where the lists `datasets`, `methods` and `seeds` ask for the job of a record."""
    datasets = all_datasets(config) if step in ("download", "cache_views") else config["datasets"]
    lists = {"dataset": datasets, "method": config["methods"], "seed": config["seeds"]}
    return all(done[name] in asked for name, asked in lists.items() if name in done)
