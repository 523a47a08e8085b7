"""This process: the cores and GPUs that it may use, and when it must end."""

import contextlib
import fcntl
import os
import signal
import threading
import time
from pathlib import Path

# Environment of a run's jobs: the number of the process that starts them, and the file of the run's lock.
STARTED_BY = "WORKFLOW_PROCESS"
LOCK = "WORKFLOW_LOCK"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """True if this process may use a GPU of this machine, found without torch: of NVIDIA or, in WSL2, of any maker."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(path for name in ("nvidia[0-9]*", "dxg") for path in devices.glob(name))


def join_run() -> None:
    """Tie this job to its run: hold the run's lock, and end when the process that started the job has ended.

    So no job of a killed run goes on for hours, and no other run begins while one of its jobs lives. Nothing happens in
    a process that is no job of a run.
    """
    if STARTED_BY not in os.environ:
        return
    end_with_parent(int(os.environ[STARTED_BY]))
    with contextlib.suppress(OSError):  # a disk without locks of files
        lock = os.open(os.environ[LOCK], os.O_RDWR)  # never closed: it is held until this process has ended
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)


def end_with_parent(started_by: int | None = None, seconds: float = 1.0) -> None:
    """Send SIGTERM to this process when the one that started it has ended.

    Args:
        started_by: number of the process that started this one, if known: it may have ended before this call.
        seconds: time between two checks.
    """
    parent = os.getppid()
    if started_by not in (None, parent) and not lives(started_by):
        os.kill(os.getpid(), signal.SIGTERM)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()


def lives(process: int) -> bool:
    """True if a process of this number lives on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True
