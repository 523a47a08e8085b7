"""The history of a training: its columns, means over the batches of an epoch, and lines for the terminal."""

import sys
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm import tqdm

from vi_simsiam.core import distributed

HISTORY = (
    "epoch", "loss", "align", "uniform", "kl", "mean_cosine", "expected_cosine",
    "kappa_q05", "kappa_q25", "kappa_q50", "kappa_q75", "kappa_q95", "kappa_range", "embedding_std", "lr", "knn_top1",
    "certainty_auroc", "certainty_r_auroc", "certainty_below_clean", "j_align", "j_uniform", "j_kl",
)  # fmt: skip
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST = 1 << 24  # numbers; torch.quantile refuses more


class Means:
    """Running means that stay on the device: reading a number off a GPU at every step would stall it."""

    def __init__(self):
        self.names: tuple[str, ...] = ()
        self.sums: Tensor | None = None
        self.count = 0

    def add(self, **values: Tensor) -> None:
        """Add the scalars of a batch; all batches have the same names."""
        self.count += 1
        batch = torch.stack([value.detach() for value in values.values()]).double()
        self.names, self.sums = tuple(values), batch if self.sums is None else self.sums + batch

    def values(self) -> dict[str, float]:
        """Return the means over all batches and all processes."""
        if self.sums is None:
            return {}
        return dict(zip(self.names, distributed.mean(self.sums / self.count).tolist(), strict=True))


def kappa_columns(kappas: list[Tensor]) -> dict[str, float]:
    """Return quantiles of kappa, and its relative range within a batch: 1 - least / largest, mean over batches.

    Args:
        kappas: (n,) of each batch. torch.quantile refuses more than 16.8 million values: of more, every second,
            third ... is used. Without kappas the result is empty.
    """
    if not kappas:
        return {}
    kappa = torch.cat(kappas)
    kappa = kappa[:: -(-len(kappa) // _MOST)]
    quantiles = torch.quantile(kappa, torch.tensor(_QUANTILES, device=kappa.device))
    ranges = torch.stack([1 - each.min() / each.max().clamp_min(torch.finfo(each.dtype).tiny) for each in kappas])
    *values, mean = torch.cat([quantiles, ranges.mean()[None].to(quantiles)]).tolist()
    names = [f"kappa_q{round(100 * q):02d}" for q in _QUANTILES]
    return dict(zip(names, values, strict=True)) | {"kappa_range": mean}


def announced(epochs: range, total: int, history: list[dict], rank: int) -> Iterator[int]:
    """Yield the epochs; the first process shows a progress bar on a terminal and plain lines in a log."""
    if rank > 0:
        yield from epochs
        return
    terminal = sys.stderr.isatty()
    start = time.monotonic()
    for done, epoch in enumerate(
        tqdm(epochs, initial=epochs.start - 1, total=total, unit="epoch", disable=not terminal)
    ):
        yield epoch
        if terminal or not history:
            continue
        row = history[-1]
        seconds = (time.monotonic() - start) / (done + 1)
        columns = ("loss", "mean_cosine", "expected_cosine", "embedding_std", "knn_top1", "certainty_auroc")
        numbers = "  ".join(f"{key} {row[key]:.4f}" for key in columns if row.get(key) is not None)
        print(
            f"epoch {epoch}/{total}  {numbers}  {seconds:.2f} s/epoch, {seconds * (total - epoch):.0f} s left",
            flush=True,
        )
