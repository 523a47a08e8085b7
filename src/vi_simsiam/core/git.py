"""What git says of the code that runs."""

import subprocess
from pathlib import Path

# A checkout of somebody else is asked as well (a shared project, a container): git would say nothing of it. What its
# owner set git to run, git does not run for this.
ANY_OWNER = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]


def answer(folder: Path, *arguments: str) -> str | None:
    """What `git ARGUMENTS` prints in a folder; None outside a checkout, without git, and where git refuses."""
    try:
        done = subprocess.run(["git", *ANY_OWNER, *arguments], cwd=folder, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def commit(folder: Path, *parts: Path) -> str | None:
    """The commit that is checked out at `folder`, with `-dirty` when `parts` of the tree differ from it; else None."""
    head = answer(folder, "rev-parse", "HEAD")
    changes = answer(folder, "status", "--porcelain", "--untracked-files=no", "--", *map(str, parts))
    if head is None or changes is None:
        return None
    return head.strip() + "-dirty" * bool(changes.strip())
