"""How property tests search: few examples, the same in every run, so that a failure is one of the code's."""

from hypothesis import settings

quickly = settings(max_examples=50, deadline=None, derandomize=True, database=None)
