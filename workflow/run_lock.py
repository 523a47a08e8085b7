"""One run at a time works in a folder. Its process and its jobs hold a kernel lock, which ends with them.

So nothing has to be cleared after kill -9 or a power cut, and a lock means that a process lives, also in a container.
Snakemake's locks are files: they stay after a crash, and the end of any run removes those of all runs.
"""

import fcntl
import os
import platform
import sys
import time
from pathlib import Path

from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import lock, writing

FILE = Path(".snakemake/run.lock")  # its text names the run that holds the lock, or held it last
RUN = "WORKFLOW_RUN"  # environment of a run's jobs: that text
_SECONDS = 3.0  # time for the jobs of a killed run to end


def take(folder: Path) -> bool:
    """Hold the lock of a project's folder until this process and the jobs that it starts have ended.

    Returns: False where the disk has no locks of files, which is printed.
    Raises: Problem when another run, or a job that has outlived one, works in the folder, or the lock cannot be opened.
    """
    with writing(folder / FILE):
        file = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o666)  # never closed
    end = time.monotonic() + _SECONDS
    while True:
        try:
            if not lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB):  # nobody else has it,
                note = "the disk has no locks of files, so Snakemake's are used: after a crash, `snakemake --unlock`"
                print(note, file=sys.stderr)
                return False
            lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # and the jobs of this run share it
            break
        except BlockingIOError:
            if time.monotonic() > end:
                holder = os.pread(file, 200, 0).decode()
                raise Problem(f"another run works in {folder}: {holder}. Wait for its end, or end it.") from None
            time.sleep(0.1)
    os.environ[RUN] = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
    os.ftruncate(file, 0)
    os.pwrite(file, os.environ[RUN].encode(), 0)
    return True


def tie_jobs(folder: Path) -> None:
    """Let the jobs that this process starts share the lock, and end with this process."""
    os.environ[processes.STARTED_BY] = str(os.getpid())
    os.environ[processes.LOCK] = str(folder / FILE)


def check_run(folder: Path) -> None:
    """Raise Problem in a job on a cluster whose run has ended, if another one has begun here since."""
    try:
        last = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if os.environ.get(RUN, last) != last:
        raise Problem(f"this job belongs to a run that has ended ({os.environ[RUN]}), and another has begun: {last}.")
