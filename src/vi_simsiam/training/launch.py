"""Start several processes on one machine that train one model, and end all of them together."""

import os
import pickle
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from vi_simsiam.core.errors import Problem


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
