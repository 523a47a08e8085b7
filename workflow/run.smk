# Settings of the whole run.
import re
import time
from pathlib import Path

import preload
import stopping
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.command import write_out

STARTED = time.time()
shell.prefix("set -euo pipefail; exec ")  # so that a job is a child of this process (core.processes.join_run)
SUMMARY = Path("results/plot/summary.txt")


resource_scopes:
    gpu="local",  # the cap of profiles/default binds on this machine, not on SLURM, which counts GPUs itself


wildcard_constraints:  # known names and one spelling of a seed: nothing that a shell could take for code
    dataset="|".join(map(re.escape, config["recipes"])),
    method="|".join(METHODS),
    seed=r"0|[1-9]\d*",


report: "report/workflow.rst"


onstart:
    if workflow.local_exec:
        stopping.end_jobs_on_signals()
        # The limit of jobs a second is for clusters. Here it wakes the scheduler once a second for each job that has
        # ended: a tenth of a core after fifty jobs.
        workflow.scheduler.job_rate_limiter = None
        torch_jobs = [
            job for job in workflow.dag.needrun_jobs() if job.rule.name in ("pretrain", "probe", "uncertainty")
        ]
        preload.start(len(torch_jobs))
    import progress  # not at the top: the import takes a tenth of a second

    progress.show(workflow)


onsuccess:
    if SUMMARY.exists() and SUMMARY.stat().st_mtime >= STARTED:  # made by this run
        write_out(f"\n{SUMMARY.read_text(encoding='utf-8').rstrip()}")
