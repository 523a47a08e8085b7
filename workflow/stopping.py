"""SIGINT and SIGTERM end a run within seconds, whichever of its processes they are sent to.

Snakemake, told to end by SIGTERM, or by a SIGINT that does not reach its jobs as Ctrl-C does, first waits for the jobs
that run: hours, where they train. An ended training resumes from its checkpoint, so nothing is lost by ending it.
"""

import contextlib
import signal
from types import FrameType

import psutil


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
