"""One run at a time works in a folder, and nothing is left to clear after kill -9."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

import run_lock
from helpers.living import alive
from helpers.project import ROOT
from vi_simsiam.core.errors import Problem

# A run: holds the lock, starts a job that holds it too, and says the job's number.
JOB = """
import time
from vi_simsiam.core import processes
processes.join_run()
print(1, flush=True)
time.sleep(60)
"""
RUN = f"""
import subprocess, sys
from pathlib import Path
import run_lock
run_lock.take(Path(sys.argv[1]))
run_lock.tie_jobs(Path(sys.argv[1]))
job = subprocess.Popen([sys.executable, "-c", {JOB!r}], stdout=subprocess.PIPE)
job.stdout.read(1)
print(job.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / ".snakemake").mkdir()
    monkeypatch.setenv(run_lock.RUN, "")  # so that it is taken back
    return tmp_path


@pytest.fixture
def killed(folder):
    """A run that has been killed a moment ago: the number of its job, which still lives."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/workflow{os.pathsep}{ROOT}/src"}
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    job = int(run.stdout.readline())
    os.kill(job, signal.SIGSTOP)
    with pytest.raises(Problem, match=f"{folder}: process {run.pid} on .*Wait for its end, or end it"):
        run_lock.take(folder)
    run.kill()
    run.wait()
    yield job
    if alive(job):
        os.kill(job, signal.SIGKILL)


def test_a_job_that_outlives_its_run_keeps_the_folder(folder, killed, monkeypatch):
    monkeypatch.setattr(run_lock, "_SECONDS", 0.3)
    with pytest.raises(Problem, match="another run works"):
        run_lock.take(folder)
    os.kill(killed, signal.SIGKILL)
    assert run_lock.take(folder)


def test_a_job_ends_with_its_run_and_the_next_run_begins(folder, killed):
    os.kill(killed, signal.SIGCONT)
    assert run_lock.take(folder)  # which waits for the job's end
    assert not alive(killed)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_locks_of_files_is_said(folder, monkeypatch, capsys, number):
    def flock(file, kind):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert run_lock.take(folder) is False
    assert "no locks of files" in capsys.readouterr().err


def test_a_job_on_a_cluster_whose_run_has_ended(folder, monkeypatch):
    run_lock.check_run(folder)  # no run was here
    (folder / run_lock.FILE).write_text("process 2")
    monkeypatch.setenv(run_lock.RUN, "process 2")
    run_lock.check_run(folder)
    monkeypatch.setenv(run_lock.RUN, "process 1")
    with pytest.raises(Problem, match=r"has ended \(process 1\), and another has begun: process 2"):
        run_lock.check_run(folder)
