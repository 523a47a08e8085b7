"""What makes the training step fast: the step as it is, and with one thing changed at a time.

    python benchmarks/step_variants.py [--rounds 3] [--batch 128] [--width 64] [--stem 3x3] [--profile]

SimSiam with ResNet-18 on two views that are already there, as `limit` of training_step.py, in bf16 where that is fast.
With `--stem 3x3/2` its last stage has 2 x 2 pixels, as in the recipes for CPUs. The variants take turns, and the times
of a round are compared with the first variant's in it. `--profile` lists where the time of one step goes instead, by
torch's profiler.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from training_step import SIZE, Given, params

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from vi_simsiam.evaluation.features import best_device
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.nn.backbones import Convolution
from vi_simsiam.training.devices import join
from vi_simsiam.training.trainer import Training


def training(views: Given, batch: int, network: dict[str, Any], precision: str | int = "auto") -> Training:
    asked = params(batch, precision, **network)
    model = build("simsiam", asked, ImageSpec(SIZE, 3, (0.5,) * 3, (0.25,) * 3))
    return Training(join(asked, best_device()), model, views, asked, 0)


def first_channels(run: Training) -> None:
    """The layout that tensors have by default."""
    run.model.to(memory_format=torch.contiguous_format)
    model = run.model
    model.standardised = lambda images: ((images - model.mean) / model.std).contiguous()


def fused(run: Training) -> None:
    """The optimiser's step in one kernel."""
    for group in run.optimizer.param_groups:
        group.update(fused=True, foreach=False)


def compiled(run: Training) -> None:
    run.model.backbone.compile()


def kernel_by_kernel(run: Training) -> None:
    """No CUDA graph; on a CPU there is none anyway."""
    run.graphed = None


def convolutions(run: Training) -> None:
    """No matrix products in place of convolutions that give few pixels."""
    for module in run.model.backbone.modules():
        if isinstance(module, Convolution):
            module.forward = partial(nn.Conv2d.forward, module)


CHANGES: dict[str, Callable[[Training], None] | None] = {
    "as it is": None,
    "float32": None,
    "channels first": first_channels,
    "fused optimiser": fused,
    "torch.compile of the backbone": compiled,
    "torch's convolutions": convolutions,
    "no CUDA graph": kernel_by_kernel,
}


def compare(batch: int, steps: int, rounds: int, network: dict[str, Any]) -> dict[str, float]:
    """Time of each variant over that of the first: the median over the rounds; larger is slower."""
    given = Given(batch, steps, best_device())
    runs = {}
    for name, change in CHANGES.items():
        runs[name] = training(given, batch, network, 32 if name == "float32" else "auto")
        if change is not None:
            change(runs[name])
    times = {name: [] for name in runs}
    for epoch in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run.epoch(epoch + 1)
            if epoch:  # the first round warms up, and compiles
                times[name].append(time.perf_counter() - start)
    first = np.array(next(iter(times.values())))
    return {name: float(np.median(np.array(taken) / first)) for name, taken in times.items()}


def profile(batch: int, network: dict[str, Any]) -> str:
    run = training(Given(batch, 1, best_device()), batch, network)
    run.epoch(1)
    gpu = best_device().type == "cuda"
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * gpu
    with torch.profiler.profile(activities=activities) as found:
        run.epoch(2)
    return found.key_averages().table(sort_by=f"self_{'cuda' if gpu else 'cpu'}_time_total", row_limit=12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=None, help="steps of a turn (default: 2, on a GPU 20)")
    parser.add_argument("--batch", type=int, default=None, help="images in a batch (default: 128, on a GPU 512)")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--stem", default="3x3")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    gpu = best_device().type == "cuda"
    batch, steps = args.batch or (512 if gpu else 128), args.steps or (20 if gpu else 2)
    network = {"width": args.width, "stem": args.stem}
    if args.profile:
        print(profile(batch, network))
        return
    for name, ratio in compare(batch, steps, args.rounds, network).items():
        print(f"{name:>30} {ratio:6.2f} x the time")


if __name__ == "__main__":
    main()
