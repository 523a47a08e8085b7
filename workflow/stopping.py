"""SIGINT and SIGTERM end a run within seconds, whichever of its processes they are sent to.

Snakemake, told to end by SIGTERM, or by a SIGINT that does not reach its jobs as Ctrl-C does, first waits for the jobs
that run: hours, where they train. An ended training resumes from its checkpoint, so nothing is lost by ending it.
"""

import contextlib
import os
import signal
import subprocess
from types import FrameType
from typing import Any

import psutil

_LOOK = 1.0  # s between two looks at whether the parent still lives


def end_jobs_on_signals() -> None:
    """Let SIGINT and SIGTERM end all child processes and then the run; a second signal kills them.

    For a run whose jobs are on this machine. To be called once Snakemake has set its own handlers (`onstart`).
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill() if asked else child.terminate()
        if not asked:
            asked = True
            raise KeyboardInterrupt  # which Snakemake takes for the user's wish to end

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


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
