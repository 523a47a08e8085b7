"""Several processes that train one model and end together: started here, or by torchrun or srun on several machines."""

import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from vi_simsiam.core.errors import Problem

# Seconds in which the first process says what is wrong for all, before another does.
_FIRST_SPEAKS = 3


def started() -> int:
    """How many processes torchrun or srun has started to train together, this one among them; 1 without these."""
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "WORLD_SIZE" not in os.environ:
        _as_of_torchrun()
    return int(os.environ.get("WORLD_SIZE", 1))


def _as_of_torchrun() -> None:
    """Set the variables that torchrun sets from those of srun."""
    from lightning_fabric.plugins.environments import SLURMEnvironment

    names = {"RANK": "PROCID", "WORLD_SIZE": "STEP_NUM_TASKS", "LOCAL_RANK": "LOCALID", "NODE_RANK": "NODEID"}
    os.environ |= {ours: os.environ[f"SLURM_{theirs}"] for ours, theirs in names.items()}
    first = SLURMEnvironment.resolve_root_node_address(os.environ["SLURM_STEP_NODELIST"])
    os.environ.setdefault("MASTER_ADDR", first)
    os.environ.setdefault("MASTER_PORT", str(15000 + int(os.environ["SLURM_JOB_ID"]) % 10000))


@contextmanager
def among_others() -> Iterator[bool]:
    """In the block this process may be one of several that torchrun or srun has started.

    An error ends it at once, without waiting for the others, and then torchrun or srun ends them. It is said by the
    first process if that meets it too.

    Gives: whether it is the first process, which alone writes results.
    """
    if started() == 1:
        yield True
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        _die_with_parent()
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


def run_together(function: Callable[..., None], n: int, *args: Any) -> None:
    """Call `function(*args)` in n new processes of this machine and wait for all of them.

    They find each other by the variables that torchrun sets; a variable of SLURM or of an outer launcher does not
    count. Whatever ends one of them, or this process, ends all.

    Args:
        function: of a module that can be imported; it must initialise torch.distributed itself.
        n: number of processes.
        args: can be pickled.

    Raises: the Problem that a process raised; Problem when one was killed; torch's ProcessRaisedException, with the
        process's traceback, for anything else.
    """
    with tempfile.TemporaryDirectory() as folder, _terminated_as_exit():
        context = torch.multiprocessing.start_processes(
            _work, (function, n, _free_port(), Path(folder), args), nprocs=n, join=False, start_method="spawn"
        )
        try:
            while not context.join():
                pass
        except torch.multiprocessing.ProcessExitedException as error:
            for path in sorted(Path(folder).glob("*.problem")):
                raise pickle.loads(path.read_bytes()) from None
            how = error.signal_name or f"exit status {error.exit_code}"
            raise Problem(
                f"process {error.error_index + 1} of {n} was ended by {how}, so the others were ended too. SIGKILL "
                "often means that the memory is used up: lower pretrain.batch_size or pretrain.devices. Run again "
                "to go on from the last checkpoint."
            ) from None
        finally:
            for process in context.processes:
                process.kill()
            for process in context.processes:
                process.join()


def _work(index: int, function: Callable[..., None], n: int, port: int, folder: Path, args: tuple) -> None:
    _die_with_parent()
    os.environ |= {"LOCAL_RANK": str(index), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(index), "WORLD_SIZE": str(n), "GLOO_SOCKET_IFNAME": "lo"}
    try:
        function(*args)
    except Problem as problem:
        (folder / f"{index}.problem").write_bytes(pickle.dumps(problem))
        os._exit(1)  # at once: the others may wait for this process
    # Not after an error: it would wait for the others before torch has told it, and they for this process.
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent is gone, even where that had no time to clean up."""
    # torch asks for SIGINT, which a process that waits for the others inside gloo or NCCL does not look at.
    torch.multiprocessing._prctl_pr_set_pdeathsig(signal.SIGKILL)


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """SIGTERM, which Snakemake and SLURM send, as an exception, so that the `finally` above is reached."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
