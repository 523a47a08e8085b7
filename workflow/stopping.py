"""SIGINT and SIGTERM end a run within seconds, whichever of its processes gets them.

On SIGTERM, and on a SIGINT that does not reach the jobs as Ctrl-C does, Snakemake would wait for the running jobs:
hours, if they are trainings. A training resumes from its checkpoint, so nothing is lost by ending it.
"""

import contextlib
import signal
from types import FrameType

import psutil


def end_jobs_on_signals() -> None:
    """Let SIGINT and SIGTERM end all child processes and then the run; a second signal kills them.

    For a run whose jobs are on this machine. Called after Snakemake has set its handlers (`onstart`).
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill() if asked else child.terminate()
        if not asked:
            asked = True
            raise KeyboardInterrupt  # Snakemake ends the run on it

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
