"""Make one result again from its record, and compare: `python workflow/rerun.py results/.../run.json`."""

import sys

import pipeline
from vi_simsiam.core.command import run
from vi_simsiam.report import verification

if __name__ == "__main__":
    folders = {step: pipeline.outputs(step) for step in pipeline.stages()}
    run(lambda: sys.exit(verification.rerun(pipeline.ROOT, folders)))
