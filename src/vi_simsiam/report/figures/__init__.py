"""The figures of the `plot` step. Their list is in `names`, which needs neither matplotlib nor pandas."""
