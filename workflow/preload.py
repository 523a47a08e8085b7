"""Jobs of a run on this machine are forked from one process that has imported torch, instead of importing it.

An import of torch and pandas takes two to three CPU seconds, as long as many a job. So the run starts a server that
imports them once and forks for each job. `python` on the jobs' PATH is a client: it passes its arguments, environment
and streams to the server and ends as the job does. Where no server answers, the client executes Python.

Only packages are imported before the fork, never modules of the project: an edit during a run must reach the next job.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shlex
import signal
import socket
import struct
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

_FOLDER = Path(".snakemake/preload")
_SOCKET = "WORKFLOW_PRELOAD"  # environment of the jobs: the server's socket; empty: start no server
_PYTHON = "WORKFLOW_PYTHON"  # the interpreter that the client replaces
PACKAGES = ("torch", "numpy", "pandas", "pyarrow.parquet", "scipy.special", "safetensors.torch", "pydantic")
_STARTED, _END = b"+", b"-"  # from the server to a client, and from a client to the server


def start(jobs: int, packages: Sequence[str] = PACKAGES) -> None:
    """Start the server for the jobs of this run, if it saves time.

    Args:
        jobs: number of jobs that will import torch. A single job starts as fast without a server.
        packages: modules that the server imports.
    """
    if jobs < 2 or os.environ.get(_SOCKET) == "":
        return
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # another system than Linux, or a container that forbids it
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    client = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -IS {shlex.quote(__file__)} "$@"\n'
    python = _FOLDER / "python"
    python.write_text(client, encoding="utf-8")
    python.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    name = f"\0vi-simsiam-{os.getpid()}-{os.urandom(8).hex()}"  # not a file, which could be left behind
    listener.bind(name)
    listener.listen(64)
    os.environ |= {_PYTHON: sys.executable, _SOCKET: name[1:]}
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--serve", str(listener.fileno()), *packages]
    subprocess.Popen(command, env=one_thread, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL)
    listener.close()
    os.environ["PATH"] = os.pathsep.join([str(_FOLDER.absolute()), os.environ["PATH"]])


def client() -> None:
    """Be `python` in a job: let the server run it, and end with its exit status or by its signal."""
    python = os.environ[_PYTHON]
    status = None
    if len(sys.argv) > 1 and sys.argv[1].endswith(".py"):
        with contextlib.suppress(OSError):
            status = _run_by_server()
    if status is None:
        os.execv(python, [python, *sys.argv[1:]])
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _run_by_server() -> int | None:
    """The job's wait status; None where the server did not begin it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0{os.environ[_SOCKET]}")
        job = {"argv": sys.argv[1:], "cwd": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(connection, [b"f"], [0, 1, 2])
        connection.sendall(json.dumps(job).encode() + b"\n")
        if connection.recv(1) != _STARTED:
            return None
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the job too
        signal.signal(signal.SIGTERM, lambda number, frame: _end(connection))
        ended = b""
        with contextlib.suppress(OSError):  # the job has begun: it must not begin again
            ended = connection.recv(16)
        return int(ended) if ended else signal.SIGKILL  # the server was killed, and its jobs with it


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(
        OSError
    ):  # the server may have got the signal too, like all processes of a job on a cluster
        connection.sendall(_END)


def serve(listener: socket.socket, packages: Sequence[str]) -> None:
    """Import the packages, then fork a job for each client until the run's process has ended."""
    run = os.pidfd_open(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the jobs; the server ends with the run's process
    for package in packages:
        importlib.import_module(package)
    gc.freeze()
    selector = selectors.DefaultSelector()
    selector.register(run, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    clients: dict[int, socket.socket] = {}  # by the process that runs their job
    while True:
        for key, _ in selector.select():
            if key.fileobj == run:
                return
            if key.fileobj is listener:
                connection, _ = listener.accept()
                process = _begin(listener, connection)
                if process is None:
                    connection.close()
                    continue
                clients[process] = connection
                selector.register(os.pidfd_open(process), selectors.EVENT_READ, process)
                selector.register(connection, selectors.EVENT_READ, process)
            elif isinstance(key.fileobj, socket.socket):
                if not key.fileobj.recv(16):  # the client has ended, e.g. by kill -9
                    selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGTERM)  # it has not been waited for: the number is still the job's
            else:  # the job has ended
                status = os.waitpid(key.data, 0)[1]
                selector.unregister(key.fileobj)
                os.close(key.fileobj)
                connection = clients.pop(key.data)
                if connection in selector.get_map():
                    selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.sendall(str(status).encode())
                connection.close()


def _begin(listener: socket.socket, connection: socket.socket) -> int | None:
    """Fork the job of a client. Returns: its process; None for a client of another user, or one that has ended."""
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    if user != os.getuid():
        return None
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as file:
            job = json.loads(file.readline())
        connection.sendall(_STARTED)
    except (OSError, ValueError):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # about threads beside a fork: those of the packages are idle
        process = os.fork()
    if process == 0:
        listener.close()
        connection.close()
        _run(job, streams)
    for stream in streams:
        os.close(stream)
    return process


def _run(job: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the job: a script with its arguments, as `python SCRIPT ...` runs it."""
    for stream, passed in enumerate(streams):
        os.dup2(passed, stream)
        os.close(passed)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = job["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent.absolute())
    if "torch" in sys.modules and (threads := os.environ.get("OMP_NUM_THREADS")):  # which torch has read before
        sys.modules["torch"].set_num_threads(int(threads))
    code = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
    else:
        client()
