"""The devices of a training, and the precision of its steps."""

import os
from datetime import timedelta

import torch
from torch import distributed, nn

from vi_simsiam.config.schema import PretrainParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import Method
from vi_simsiam.training import launch


def check_devices(params: PretrainParams, device: torch.device) -> None:
    """Raise Problem if this machine cannot train with so many processes, or if another number was started."""
    n, gpu = params.devices, device.type == "cuda"
    available = torch.cuda.device_count() if gpu else os.cpu_count() or 1
    kind = "GPU" if gpu else "CPU core"
    if n > available:
        raise Problem(f"pretrain.devices = {n}: this machine has {available} {kind}{'s' * (available != 1)}. Lower it.")
    if params.batch_size % params.processes or params.batch_size // params.processes < 2:
        several = f" x pretrain.nodes = {params.nodes}" * (params.nodes > 1)
        raise Problem(
            f"pretrain.batch_size = {params.batch_size} is that of all devices together: make it a multiple of "
            f"pretrain.devices = {n}{several}, of at least 2 images each."
        )
    started = launch.started()
    if started > 1 and started != params.processes:
        raise Problem(
            f"{started} processes were started to train together, and pretrain.devices = {n} x pretrain.nodes = "
            f"{params.nodes} are {params.processes}: start so many, or change these."
        )
    if started == 1 and params.nodes > 1:
        raise Problem(
            f"pretrain.nodes = {params.nodes}: the training must be started on each of these machines, by `torchrun "
            f"--nnodes {params.nodes} --nproc-per-node {n}` or by srun (docs/running_large.md has the commands)."
        )


def join(params: PretrainParams, device: torch.device) -> torch.device:
    """Join the other processes of this training.

    Returns: the device of this process, of the same kind as `device`.
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all batches have one size, so that the search for algorithms pays
    if params.processes == 1:
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(minutes=30))
    return device


def wrap(model: Method, device: torch.device) -> nn.Module:
    """Average the gradients of a model over the joined processes; of one process, return the model itself."""
    if not distributed.is_initialized():
        return model
    # Batch norm's statistics are averaged once an epoch (`Training.epoch`), not overwritten by the first process's.
    # All parameters have a gradient in every step, and it stays in the buffer of the reduction.
    return nn.parallel.DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
        static_graph=True,
    )


def synchronise_batch_norm(model: Method) -> None:
    """Make the trained batch norms take the statistics of the whole batch, in place; on GPUs only.

    Raises: Problem for a batch norm of another package.
    """
    for name, part in list(model.named_children()):
        if model.frozen and name == "backbone":
            continue
        for module in part.modules():
            known = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and type(module) not in known:
                raise Problem(
                    f"pretrain.sync_batchnorm: the encoder's {type(module).__name__} cannot be synchronised. Set it "
                    "to false."
                )
        setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(part))


def has_bf16(device: torch.device) -> bool:
    """Tell if the device has instructions for bfloat16; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def in_bf16(precision: str | int, device: torch.device) -> bool:
    """Tell if a training of precision `auto`, `bf16` or 32 runs in bfloat16; warn where that is slow."""
    native = has_bf16(device)
    if precision == "bf16" and not native:
        print(
            "warning: pretrain.precision = bf16 is emulated here, six to ten times slower than float32 on a CPU "
            "without AVX512-BF16 or AMX. `auto` takes bf16 only where it is fast.",
            flush=True,
        )
    return precision == "bf16" or (precision == "auto" and native)
