"""This process: the cores that it may use, and a command that ends with it."""

import os
import signal
import subprocess
from typing import Any

_LOOK = 1.0  # s between two looks at whether the parent still lives


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def call(command: list[str], **options: Any) -> int:
    """Run a command and return its exit status; it is ended with this process, and with this process's parent.

    `dvc repro` that is ended by SIGTERM does not end its commands.
    """
    parent = os.getppid()
    process = subprocess.Popen(command, **options)
    # Ctrl-C reaches the command too, which ends by itself and cleans up: wait for that.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait(_LOOK)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                process.terminate()
