"""Begin where a run was killed: the locks that it left are removed once none of its processes is alive.

Snakemake locks the files that it works on by entries in .snakemake/locks and removes them at its end. After kill -9
or a power cut they stay, and Snakemake cannot know whether the other run still lives. On one machine the table of
processes can tell.
"""

import json
import platform
import re
import shutil
from pathlib import Path

import psutil

LOCKS = Path(".snakemake/locks")
LAST_RUN = Path(".snakemake/last_run.json")


def locked() -> bool:
    return any(LOCKS.glob("*"))


def note(local: bool) -> None:
    """Remember where this run works: on this machine alone (`local`), or with jobs on others."""
    LAST_RUN.parent.mkdir(exist_ok=True)
    LAST_RUN.write_text(json.dumps({"host": platform.node(), "local": local}) + "\n", encoding="utf-8")


def clear(root: Path) -> None:
    """Remove the locks in the current folder, `root`, if the run that made them was on this machine and is dead."""
    if locked() and _was_here() and not alive(root):
        shutil.rmtree(LOCKS)
        print("the last run here was killed: its lock is removed, unfinished jobs begin anew", flush=True)


def alive(root: Path) -> list[psutil.Process]:
    """Other processes that work in `root`: runs of Snakemake, and scripts of steps that outlived theirs."""
    me = psutil.Process()
    mine = {me.pid, *(parent.pid for parent in me.parents())}
    return [process for process in psutil.process_iter() if process.pid not in mine and _works_in(root, process)]


def _works_in(root: Path, process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
        own = any(part.endswith("workflow/step.py") or re.search(r"(^|/)src/[^/]+\.py$", part) for part in command)
        if not own and not any("snakemake" in Path(part).name for part in command):
            return False
        return Path(process.cwd()) == root
    except psutil.AccessDenied:
        return True  # of somebody else: it may be here
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def _was_here() -> bool:
    try:
        last = json.loads(LAST_RUN.read_text(encoding="utf-8"))
        return last == {"host": platform.node(), "local": True}
    except (OSError, ValueError):
        return False
