"""What a training computes on: its devices, and the precision of its steps."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from vi_simsiam.config.schema import PretrainParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import Method
from vi_simsiam.nn.optimisers import Sgd
from vi_simsiam.training import launch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def check_devices(params: PretrainParams, device: torch.device) -> None:
    """Raise Problem where this machine cannot train with that many processes, or where not so many were started."""
    n, gpu = params.devices, device.type == "cuda"
    there = torch.cuda.device_count() if gpu else os.cpu_count()
    kind = "GPU" if gpu else "CPU core"
    if n > there:
        raise Problem(f"pretrain.devices = {n}: this machine has {there} {kind}{'s' * (there != 1)}. Lower it.")
    if params.batch_size % params.processes or params.batch_size // params.processes < 2:
        several = f" x pretrain.nodes = {params.nodes}" * (params.nodes > 1)
        raise Problem(
            f"pretrain.batch_size = {params.batch_size} is that of all devices together: make it a multiple of "
            f"pretrain.devices = {n}{several}, of at least 2 images each."
        )
    if params.processes > 1 and params.compile:
        raise Problem("pretrain.compile is for one device: set it to false, or pretrain.devices and nodes to 1.")
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


class Alone(NamedTuple):
    """What a Fabric would do for one process that computes in float32 on a CPU, which is nothing."""

    device: torch.device

    def setup(self, model: Method, optimizer: Sgd) -> tuple[Method, Sgd]:
        return model, optimizer

    def backward(self, loss: Tensor) -> None:
        loss.backward()


def launched(params: PretrainParams, device: torch.device) -> "Fabric | Alone":
    """A Fabric on the device, with the precision asked for, that has joined the other processes where there are any."""
    mixed = in_bf16(params.precision, device)
    if device.type == "cpu" and params.processes == 1 and not mixed:
        return Alone(device)
    # Imported here, because it takes seconds and not every job needs it.
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision, Precision
    from lightning_fabric.plugins.environments import LightningEnvironment

    class Mixed(MixedPrecision):
        """Views reach the model in float32, not rounded to half a grey level; autocast rounds where it computes."""

        def convert_input(self, data: Any) -> Any:
            return data

    precision = Mixed("bf16-mixed", device.type) if mixed else Precision()
    strategy: Any = "auto"
    if params.processes > 1:
        from lightning_fabric.strategies import DDPStrategy

        # Batch norm's statistics are averaged once an epoch (`Training.epoch`), not overwritten by the first process's.
        # All parameters have a gradient in every step, and it is kept where it was reduced.
        strategy = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True, static_graph=True)
    fabric = Fabric(
        accelerator=device.type,
        devices=params.devices,
        num_nodes=params.nodes,
        strategy=strategy,
        # Processes are there already, and the variables that torchrun sets say so, also within SLURM (`launch`).
        plugins=[LightningEnvironment(), precision],
    )
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all batches have one size, so that the search for algorithms pays
    if params.processes > 1:
        fabric.launch()  # joins the processes that are there already
    return fabric


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 by instructions of its own; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def in_bf16(asked: str | int, device: torch.device) -> bool:
    native = has_bf16(device)
    if asked == "bf16" and not native:
        print(
            "warning: pretrain.precision = bf16 is emulated here, six to ten times slower than float32 on a CPU "
            "without AVX512-BF16 or AMX. `auto` takes bf16 only where it is fast.",
            flush=True,
        )
    return asked == "bf16" or (asked == "auto" and native)
