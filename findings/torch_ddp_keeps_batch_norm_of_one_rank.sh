#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: With DistributedDataParallel the running statistics of batch norms are those of all processes' images.
# Seen: Before each forward pass the statistics of rank 0 replace those of the others, so they come from the images of
#   rank 0 alone. Where rank 0 has images of mean 0 and rank 1 of mean 10, the running mean is 0, not 5.
# For a user of this project: Trainings here average the statistics of all processes. Elsewhere mix the images over
#   the processes or use SyncBatchNorm: where each process reads one clinic or shard, evaluation otherwise normalises
#   by the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
cat >train.py <<'EOF'
import pathlib

import torch
import torch.distributed as dist


def train(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(rank)
    norm = torch.nn.BatchNorm1d(1)
    network = torch.nn.parallel.DistributedDataParallel(norm)
    for _ in range(100):
        network(torch.randn(256, 1) + 10 * rank).sum().backward()
    if rank == 0:
        print("running mean of rank 0:", float(norm.running_mean))
        assert abs(norm.running_mean) < 0.2
    network(torch.randn(256, 1) + 10 * rank)  # the statistics of rank 0 arrive, then a tenth of this batch
    if rank == 1:
        print("running mean of rank 1, after 101 batches of mean 10:", float(norm.running_mean))
        assert abs(norm.running_mean - 1) < 0.2
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.multiprocessing.spawn(train, args=(pathlib.Path.cwd(),), nprocs=2)
EOF
"$venv/bin/python" train.py
