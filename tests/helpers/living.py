"""Look at processes from outside."""

import time
from collections.abc import Callable

import psutil


def alive(pid: int) -> bool:
    """True if a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def commands(parent: int) -> dict[int, str]:
    """The command lines of the processes that a process has started."""
    return {process.pid: " ".join(process.cmdline()) for process in psutil.Process(parent).children()}


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """True if a condition becomes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
