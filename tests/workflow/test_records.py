"""Snakemake still has the private names that workflow/records.py replaces."""

from importlib.metadata import version

import snakemake.api  # the first of these, which import each other
import snakemake.dag
import snakemake.jobs
import snakemake.workflow
from snakemake.persistence.file import FilePersistence

from records import Records, _PlainReason

MOVED = f"Snakemake {version('snakemake')} has moved {{}}: follow it in workflow/records.py"


def test_the_classes_that_are_replaced_are_where_snakemake_takes_them_from():
    used = snakemake.workflow.Workflow._prepare_dag.__code__.co_names
    assert "FilePersistence" in used, MOVED.format("snakemake.workflow.FilePersistence")
    used = snakemake.dag.DAG.__init__.__code__.co_names
    assert "Reason" in used, MOVED.format("snakemake.dag.Reason")
    for name, caller in (("remove_existing_output", "prepare"), ("cleanup", "postprocess")):
        used = getattr(snakemake.jobs.Job, caller).__code__.co_names
        assert hasattr(snakemake.jobs.Job, name) and name in used, MOVED.format(f"Job.{name}")


def test_the_methods_that_are_replaced_are_those_that_snakemake_asks():
    for name in vars(Records).keys() - {"__module__", "__doc__", "__init__"}:
        assert hasattr(FilePersistence, name), MOVED.format(f"FilePersistence.{name}")


def test_a_reason_is_told_in_its_own_words():
    reason = _PlainReason()
    reason.params_changed = "other parameter probe.C: 1.0 -> 2.0"
    assert str(reason) == reason.params_changed, MOVED.format("Reason.__str__")
    assert list(reason.get_names()) == [reason.params_changed], MOVED.format("Reason.get_names")
