# The graph of the six steps, one rule file each. `snakemake --cores all` brings everything up to date.
import sys
from snakemake.utils import min_version

min_version("9.20")
sys.path.insert(0, f"{workflow.basedir}/workflow")
import pipeline, jobs, records  # pipeline first: it lets this tree be imported instead of an installed one

records.install()

with pipeline.sentences():
    config.update(pipeline.begin(workflow))  # as they were when this run was planned


RUN = "{dataset}/{method}/seed{seed}"
ALL = dict(dataset=config["datasets"], method=config["methods"], seed=config["seeds"])


include: "workflow/run.smk"


for step in pipeline.stages():

    include: f"workflow/rules/{step}.smk"


rule all:
    default_target: True
    input:
        # Of every step: Snakemake does not miss a file of an earlier step where plot's are current.
        [getattr(rules, f"step_{step}").input for step in pipeline.stages()],
    message:
        "everything is up to date"
