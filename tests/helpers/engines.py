"""Snakemake and DVC for tests, forked from a process that has imported both.

Their imports take a CPU second for each command of Snakemake and for each stage, and half a second for each of DVC:
a third of what tests of the engines cost. The server and the client are those of the workflow's jobs (`preload`).
"""

import atexit
import functools
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = {"snakemake": "from snakemake.cli import main", "dvc": "from dvc.cli import main"}
_PACKAGES = ("snakemake.cli", "dvc.cli.parser", "dvc.repo.reproduce", "dvc.repo.status", "dvc.stage.cache")
_PACKAGES += ("scmrepo.git", "pydantic", "ruamel.yaml", "psutil")
_SOCKET, _PYTHON = "TESTS_ENGINES", "TESTS_ENGINES_PYTHON"  # not those of the run, which has a server for its jobs


@functools.cache
def start() -> dict[str, str]:
    """Start the server, which ends with this process.

    Returns: environment in which `snakemake`, `dvc` and the `python3` of DVC's stages are forked from it; PATH is the
    folder to put before the others.
    """
    import preload  # here: processes of tests import this module without the workflow's folder on their path

    folder = Path(tempfile.mkdtemp(prefix="engines"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    switch = f"preload._SOCKET, preload._PYTHON = {_SOCKET!r}, {_PYTHON!r}"
    client = f"import sys; sys.path.insert(0, {str(Path(preload.__file__).parent)!r}); import preload; {switch}; "
    python = f"exec {shlex.quote(sys.executable)} -IS -c {shlex.quote(client + 'preload.client()')}"
    scripts = {"python3": f'{python} "$@"'}
    for name, imported in COMMANDS.items():
        entry = folder / "entries" / f"{name}.py"
        entry.parent.mkdir(exist_ok=True)
        entry.write_text(f"import sys\n{imported}\nsys.exit(main())\n")
        scripts[name] = f'{python} {shlex.quote(str(entry))} "$@"'
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    name = f"\0engines-{os.getpid()}-{os.urandom(8).hex()}"
    listener.bind(name)
    listener.listen(64)
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, preload.__file__, "--serve", str(listener.fileno()), *_PACKAGES]
    subprocess.Popen(command, env=one_thread, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL)
    listener.close()
    return {_SOCKET: name[1:], _PYTHON: sys.executable, "PATH": str(folder)}
