"""Compare every result with its record: `make verify`."""

import sys

import pipeline
from vi_simsiam.core.command import run
from vi_simsiam.report import verification

if __name__ == "__main__":
    run(lambda: sys.exit(verification.verify(pipeline.outputs(step) for step in pipeline.stages())))
