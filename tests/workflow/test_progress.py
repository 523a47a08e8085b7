"""Messages of a run while it lasts, from Snakemake's events and the logs of trainings."""

import logging
import os
import pty
import re
import subprocess
import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console
from snakemake.logging import logger

import progress
from progress import Progress
from vi_simsiam.core.command import notes


def event(handler, kind, **values):
    record = logging.makeLogRecord({"event": kind, **values})
    handler.handle(record)


def start(handler, jobid, rule, log, message="a job"):
    event(handler, "job_info", jobid=jobid, rule_name=rule, rule_msg=message, log=[str(log)])


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def text(handler):
    console = Console(file=StringIO(), width=80)
    console.print(handler)
    return console.file.getvalue().splitlines()


def test_nothing_is_said_of_the_end_before_a_job_has_ended_or_told(clock, tmp_path):
    handler = Progress({"pretrain": 3, "probe": 2}, cores=2)
    start(handler, 1, "pretrain", tmp_path / "1.log", "pretrain digits/vae/seed0")
    clock[0] = 7
    assert handler.seconds_left() is None
    assert text(handler) == ["  pretrain digits/vae/seed0  7 s", "0 of 5 jobs done"]


def test_the_end_from_epochs_and_jobs_that_have_ended(clock, tmp_path):
    handler = Progress({"pretrain": 3, "probe": 2}, cores=2)
    log = tmp_path / "1.log"
    log.write_text("epoch 1/40  loss 1.0  2.00 s/epoch, 78 s left\nepoch 2/40  loss 0.9  2.00 s/epoch, 76 s left\n")
    start(handler, 1, "pretrain", log, "pretrain digits/vae/seed0")
    clock[0] = 4
    assert text(handler) == ["  pretrain digits/vae/seed0  epoch 2/40", "0 of 5 jobs done"]
    clock[0] = 100
    event(handler, "job_finished", job_id=1)
    # Two more trainings as long as the first; of probes nothing is known, so as long as the job that has ended.
    assert handler.seconds_left() == pytest.approx((2 * 100 + 2 * 100) / 2)
    start(handler, 2, "probe", tmp_path / "2.log")
    event(handler, "job_error", jobid=2)  # it is still to be done
    assert text(handler) == ["1 of 5 jobs done, about 3 min left"]
    start(handler, 3, "probe", tmp_path / "3.log")
    clock[0] = 104
    event(handler, "job_finished", job_id=3)
    log.write_text("epoch 20/40  loss 1.0  2.00 s/epoch, 40 s left\n")
    start(handler, 4, "pretrain", log)
    assert handler.seconds_left() == pytest.approx((40 + 100 + 4) / 2)
    event(handler, "job_finished", job_id=4)
    for jobid, rule in enumerate(["pretrain", "probe"], 5):
        start(handler, jobid, rule, tmp_path / "no.log")
        event(handler, "job_finished", job_id=jobid)
    assert handler.seconds_left() == 0 and text(handler) == ["5 of 5 jobs done, about 0 s left"]


def test_the_notes_of_a_job_are_repeated_when_it_ends(tmp_path, capsys):
    log = tmp_path / "pets.log"
    log.write_text("packed 5\nnote: 3 images left out\x1b[31m\na line that has note: in it\nnote: two\n")
    handler = Progress({"cache_views": 2}, cores=1)
    for kind, jobid in (("job_finished", "job_id"), ("job_error", "jobid")):
        for event, name in (("job_info", "jobid"), (kind, jobid)):
            values = {"event": event, name: 7, "rule_msg": "store pets", "rule_name": "cache_views", "log": [str(log)]}
            handler.handle(logging.makeLogRecord(values))
        handler.handle(logging.makeLogRecord({"event": kind, jobid: 7}))
        assert capsys.readouterr().err.splitlines() == [
            "store pets: 3 images left out\\x1b[31m", "store pets: two",
        ]  # fmt: skip
    assert notes(tmp_path / "none.log") == []


def test_a_run_on_a_cluster_has_jobs_in_place_of_cores():
    """Snakemake raises when it is asked for a number of cores that was not given."""
    dag = SimpleNamespace(needrun_jobs=lambda: [])
    progress.show(SimpleNamespace(dag=dag, local_exec=False, nodes=20))
    handler = logger.handlers[-1]
    logger.removeHandler(handler)
    assert isinstance(handler, Progress) and handler.cores == 20


@pytest.mark.slow
def test_a_terminal_shows_it_and_a_pipe_does_not(blank):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--", "step_cache_views"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=blank.path, env=blank.env | {"TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    assert process.wait() == 0, said.decode()
    assert re.search(rb"of 2 jobs done", said) and b"download digits" in said
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l"), "the cursor stays hidden"
    again = [*command[:-2], "--forceall", *command[-2:]]
    done = subprocess.run(again, cwd=blank.path, env=blank.env, capture_output=True, text=True)
    assert done.returncode == 0 and "jobs done" not in done.stderr and "\x1b" not in done.stderr
