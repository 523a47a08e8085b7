"""Settings of property tests: few examples, the same in every run, so that only a change of code makes one fail."""

from hypothesis import settings

quickly = settings(max_examples=50, deadline=None, derandomize=True, database=None)
