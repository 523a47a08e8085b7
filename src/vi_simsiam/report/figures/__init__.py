"""The figures of the `plot` step. Their list is in `registry`, which needs neither matplotlib nor pandas."""

import os

# Figures are files: a backend that a notebook's environment names may be missing here, and matplotlib would refuse it.
os.environ["MPLBACKEND"] = "agg"
