"""This process: the cores and GPUs that it may use, and what ends with what."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_there(devices: Path = Path("/dev")) -> bool:
    """Whether this machine has a GPU that may be used, without torch. In WSL2 it is `dxg`, whatever its maker."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(path for name in ("nvidia[0-9]*", "dxg") for path in devices.glob(name))


def call(command: list[str], **options: Any) -> int:
    """Run a command and return its exit status; SIGTERM ends it with this process."""
    process = subprocess.Popen(command, **options)
    # Ctrl-C reaches the command too, which ends by itself and cleans up: wait for that.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def end_with_parent(seconds: float = 1.0) -> None:
    """Let this process get SIGTERM when the one that started it has ended; `seconds` between two looks."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()
