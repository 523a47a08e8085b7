"""What jobs want said on the terminal: lines of their logs that begin with `note: `, repeated when a job ends."""

import logging
import sys
from pathlib import Path

from vi_simsiam.core.text import printable

_BEGIN = "note: "


class Notes(logging.Handler):
    """Follows Snakemake's log events; a job's notes are repeated under its name."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, tuple[str, Path]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == "job_info" and record.log:
            self.jobs[record.jobid] = record.rule_msg or record.rule_name, Path(record.log[0])
        elif event in ("job_finished", "job_error"):
            name, log = self.jobs.pop(record.job_id if event == "job_finished" else record.jobid, ("", Path()))
            for line in lines(log) if name else []:
                print(f"{name}: {line}", file=sys.stderr, flush=True)


def lines(log: Path) -> list[str]:
    """The notes in a log, as a terminal may have them."""
    if not log.is_file():
        return []
    text = log.read_text(encoding="utf-8", errors="replace")
    return [printable(line.removeprefix(_BEGIN)) for line in text.split("\n") if line.startswith(_BEGIN)]


def repeat() -> None:
    """Repeat the notes of this run's jobs until the process ends."""
    from snakemake.logging import logger

    logger.addHandler(Notes())
