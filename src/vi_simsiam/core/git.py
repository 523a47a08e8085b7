"""The commit of the code that runs."""

import os
import subprocess
from pathlib import Path

from vi_simsiam.core.environment import OF_HOOKS

# By default git refuses a checkout of another user (a shared project, a container). The second setting stops git from
# running a program that this user has named in the checkout.
_ANY_OWNER = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]


def _output(folder: Path, *arguments: str) -> str:
    """Output of `git ARGUMENTS` in a folder; empty outside a checkout, without git, and where git refuses."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_HOOKS}
    command = ["git", *_ANY_OWNER, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()


def commit(folder: Path, *parts: Path) -> str | None:
    """The commit that is checked out at `folder`, with `-dirty` when `parts` of the tree differ from it.

    Returns: None where git does not track `parts`: below a checkout of another project, or outside of any.
    """
    head = _output(folder, "rev-parse", "HEAD")
    if not head or not _output(folder, "ls-files", "--", *map(str, parts)):
        return None
    changes = _output(folder, "status", "--porcelain", "--untracked-files=no", "--", *map(str, parts))
    return head + "-dirty" * bool(changes)
