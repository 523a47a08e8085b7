"""Start the processes that train one model together on this machine, by torchrun's library.

torchrun or srun starts those of several machines.
"""

import logging
import os
import re
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed

from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem

# Seconds that the other processes wait, so that the first one reports an error that all of them meet.
_FIRST_SPEAKS = 3


def started() -> int:
    """Count the processes that torchrun or srun has started to train together, this one among them; else 1.

    A `WORLD_SIZE` that neither of them has set does not count: some clusters leave one in a shell. Nor does srun
    count if it started the shell (`srun --pty bash`) in which a run or a command was typed.
    """
    if distributed.is_torchelastic_launched():
        return int(os.environ.get("WORLD_SIZE") or 1)
    typed = processes.STARTED_BY in os.environ or any(name.startswith("SLURM_PTY_") for name in os.environ)
    if not typed and int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1) > 1:
        _set_variables_of_torchrun()
        return int(os.environ["WORLD_SIZE"])
    return 1


def _set_variables_of_torchrun() -> None:
    """Set the variables that torchrun sets from those of srun."""
    names = {"RANK": "PROCID", "WORLD_SIZE": "STEP_NUM_TASKS", "LOCAL_RANK": "LOCALID"}
    os.environ |= {ours: os.environ[f"SLURM_{theirs}"] for ours, theirs in names.items()}
    # `gpu[07-08,11]` begins with gpu07.
    first = re.sub(r"\[([^],-]+)[^]]*\]", r"\1", os.environ["SLURM_STEP_NODELIST"]).split(",")[0]
    os.environ["MASTER_ADDR"] = first
    os.environ["MASTER_PORT"] = str(15000 + int(os.environ["SLURM_JOB_ID"]) % 10000)


@contextmanager
def distributed_worker() -> Iterator[bool]:
    """Run the block in a process that may be one of several that torchrun or srun has started.

    An error ends the process at once, without waiting for the others; torchrun or srun then ends those. The first
    process reports an error that all of them meet.

    Yields: True in the first process, which alone writes results.
    """
    if started() == 1:
        yield True
        return
    if distributed.is_torchelastic_launched():
        # Linux kills this process when torchrun has ended, even by SIGKILL. torch itself sets SIGINT, which a process
        # that waits for others inside gloo or NCCL ignores.
        torch.multiprocessing._prctl_pr_set_pdeathsig(signal.SIGKILL)
    rank = int(os.environ["RANK"])
    try:
        yield rank == 0
    except Exception as error:
        sys.stdout.flush()
        time.sleep(_FIRST_SPEAKS if rank else 0)
        if isinstance(error, Problem):
            print(f"error: {error}", file=sys.stderr, flush=True)
        else:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)


def start(n: int, entrypoint: Callable[..., None] | str, *args: Any) -> None:
    """Start n processes on this machine as `torchrun --standalone` does, and wait for them.

    If one of them ends by an error, or this process ends, all end.

    Args:
        n: number of processes.
        entrypoint: a command, or a function that can be imported; it must use `distributed_worker`.
        args: of the command or function.

    Raises: Problem when a process was killed; SystemExit where one has reported its error, or on a signal.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # works without a network
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )
    logging.disable(logging.ERROR)  # each process reports its own error
    try:
        elastic_launch(config, entrypoint)(*args)
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    except ChildFailedError as error:
        # The others end by SIGTERM, or by the error that the connection to the killed one is lost.
        causes = sorted(error.failures.values(), key=lambda f: f.exitcode > 0 or f.exitcode == -signal.SIGTERM)
        if causes[0].exitcode > 0:
            raise SystemExit(causes[0].exitcode) from None
        raise Problem(
            f"process {causes[0].local_rank + 1} of {n} was ended by {causes[0].signal_name()}, so the others were "
            "ended too. SIGKILL often means that the memory is used up: lower pretrain.batch_size or "
            "pretrain.devices. Run again to go on from the last checkpoint."
        ) from None
    finally:
        logging.disable(logging.NOTSET)
