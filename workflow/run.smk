# What holds for a run as a whole.
import closing
import stopping


resource_scopes:
    gpu="local",  # the cap of profiles/default binds on this machine, not on SLURM, which counts GPUs itself


report: "report/workflow.rst"


onstart:
    if workflow.local_exec:
        stopping.end_jobs_on_signals()


onsuccess:
    closing.print_summary()
