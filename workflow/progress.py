"""Messages of a run while it lasts: the notes of its jobs, and on a terminal the running jobs, the epochs of trainings
and an estimate of the time left. In a pipe only the notes are added to Snakemake's lines.
"""

import atexit
import contextlib
import logging
import re
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from vi_simsiam.core.command import notes
from vi_simsiam.core.text import duration

_EPOCH = re.compile(rb"epoch (\d+)/(\d+) .* (\d+) s left")  # in the log of a training, after each epoch


class Job(NamedTuple):
    rule: str
    name: str
    log: Path
    started: float  # s, of time.monotonic

    def state(self) -> tuple[str, float | None]:
        """`epoch 3/40`, or the seconds so far; and the seconds left, where the log has them."""
        epochs = _EPOCH.findall(self.log.read_bytes()[-4000:]) if self.log.is_file() else []
        if not epochs:
            return f"{time.monotonic() - self.started:.0f} s", None
        epoch, total, left = map(int, epochs[-1])
        return f"epoch {epoch}/{total}", float(left)


class Progress(logging.Handler):
    """Follows Snakemake's log events.

    Args:
        jobs: number of jobs of each rule that are to run.
        cores: number of jobs that run at the same time.
    """

    def __init__(self, jobs: dict[str, int], cores: int):
        super().__init__()
        self.jobs, self.cores = Counter(jobs), cores
        self.total = self.jobs.total()
        self.running: dict[int, Job] = {}
        self.seconds: dict[str, list[float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == "job_info" and record.log:
            name = record.rule_msg or record.rule_name
            self.running[record.jobid] = Job(record.rule_name, name, Path(record.log[0]), time.monotonic())
        elif event in ("job_finished", "job_error"):
            job = self.running.pop(record.job_id if event == "job_finished" else record.jobid, None)
            with contextlib.suppress(BrokenPipeError):  # the reader of a pipe may go away
                for note in notes(job.log) if job else []:
                    print(f"{job.name}: {note}", file=sys.stderr, flush=True)
            if job and event == "job_finished":
                self.jobs[job.rule] -= 1
                self.seconds.setdefault(job.rule, []).append(time.monotonic() - job.started)

    def seconds_left(self) -> float | None:
        """Estimate of the seconds left; None before the first job has ended or the first epoch is in a log.

        A job is assumed to take as long as the rule's other jobs in this run, or, before one of them has ended, as the
        jobs of all rules.
        """
        now, left = time.monotonic(), 0.0
        of_all = [seconds for durations in self.seconds.values() for seconds in durations]
        for rule, count in (+self.jobs).items():
            running = [(now - job.started, job.state()[1]) for job in self.running.values() if job.rule == rule]
            told = [age + rest for age, rest in running if rest is not None]
            durations = self.seconds.get(rule) or told or of_all
            if not durations:
                return None
            usual = statistics.mean(durations)
            left += sum(max(0.0, usual - age) if rest is None else rest for age, rest in running)
            left += usual * (count - len(running))
        return left / max(1, min(self.cores, self.jobs.total()))

    def __rich__(self) -> Group:
        lines = [Text(f"  {job.name}  {job.state()[0]}", no_wrap=True) for job in list(self.running.values())]
        left = self.seconds_left()
        end = "" if left is None else f", about {duration(left)} left"
        return Group(*lines, Text(f"{self.total - self.jobs.total()} of {self.total} jobs done{end}", style="bold"))


def show(workflow: Any) -> None:
    """Follow a run until the process ends."""
    from snakemake.logging import logger

    jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs() if job.log)
    at_once = workflow.cores if workflow.local_exec else workflow.nodes  # a run on a cluster needs no number of cores
    progress = Progress(jobs, at_once)
    logger.addHandler(progress)
    if not sys.stderr.isatty():
        return
    live = Live(progress, console=Console(stderr=True), refresh_per_second=1, transient=True)
    live.start()
    atexit.register(live.stop)  # it shows the cursor again
    for handler in logger.handlers:
        if type(handler).__name__ == "ColorizingTextHandler":
            handler.setStream(sys.stderr)  # Live replaced stderr: it writes above the last lines
