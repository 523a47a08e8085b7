"""A record tells why its result is not the one that a job would make now, and refuses damaged files."""

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord, new_result, verify, why_stale

PARAMS = {"lr": 0.1, "backbone": {"name": "resnet10", "width": 4}}
SEED_0 = {"dataset": "digits", "method": "simsiam", "seed": 0}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two results, the second made from the first, below the current folder."""
    monkeypatch.chdir(tmp_path)
    for folder, params, reads in (("store", {}, []), ("seed0", PARAMS, ["store"])):
        made = RunRecord("cache_views" if folder == "store" else "pretrain", params, reads, **SEED_0)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.bin").write_text(folder)
        made.write(tmp_path / folder)
    return tmp_path


def reason(folder="seed0", params=PARAMS, **wanted):
    return why_stale(folder, ["store/a.bin"], **{"step": "pretrain", "params": params, **SEED_0, **wanted})


@pytest.mark.parametrize(("system", "unit"), [("linux", 1 << 10), ("darwin", 1)])
def test_the_peak_memory_is_in_mebibytes_on_either_system(tmp_path, monkeypatch, system, unit):
    made = RunRecord("cache_views", {})
    monkeypatch.setattr(record.sys, "platform", system)
    monkeypatch.setattr(record.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=(300 << 20) // unit))
    made.write(tmp_path)
    assert record.read(tmp_path)["peak_memory_mb"] == 300


def test_another_place(results):
    """A copy under another name is no result of that name."""
    shutil.copytree("seed0", "seed7")
    assert reason("seed7", seed=7) == "seed7/run.json is of seed 0, not 7"
    assert reason(method="vae") == "seed0/run.json is of method simsiam, not vae"
    assert reason(dataset="pets") == "seed0/run.json is of dataset digits, not pets"
    assert reason(step="probe") == "seed0/run.json is of step pretrain, not probe"


def test_other_parameters(results):
    other = {"lr": 0.2, "backbone": {"name": "resnet10", "width": 8}}
    assert reason(params=PARAMS | {"lr": 0.2}) == "other parameter pretrain.lr: 0.1 -> 0.2"
    assert reason(params=other) == "other parameters pretrain.lr: 0.1 -> 0.2, pretrain.backbone.width: 4 -> 8"
    assert reason(params={"lr": 0.1}).startswith("other parameter pretrain.backbone: {'name'")
    many = PARAMS | dict.fromkeys("abcd", 1)
    assert reason(params=many).endswith("pretrain.c: None -> 1 and 1 more")


def test_other_ways_to_the_same_files_are_no_other_parameters(results):
    params = {"source": "digits", "mirrors": [], "retries": 3}
    (results / "fetched").mkdir()
    RunRecord("download", params).write(results / "fetched")
    other = params | {"mirrors": ["https://mirror.example/"], "retries": 9}
    assert why_stale("fetched", [], step="download", params=other) is None
    reason = why_stale("fetched", [], step="download", params=other | {"source": "pets"})
    assert reason == "other parameter download.source: 'digits' -> 'pets'"


def test_other_code(results, monkeypatch):
    digest = record._digest
    monkeypatch.setattr(record, "_digest", lambda name: "x" if name.endswith("core/git.py") else digest(name))
    assert reason() == "code of step pretrain changed: src/vi_simsiam/core/git.py"
    monkeypatch.setattr(record, "_digest", lambda name: None)  # the files are gone
    assert reason().startswith("code of step pretrain changed: src/vi_simsiam/") and reason().endswith(" more")


def test_code_is_what_was_imported_as_it_was_when_the_job_began(results, monkeypatch):
    code = record.read(results / "seed0")["code"]
    assert "vi_simsiam/core/record.py" in code and "vi_simsiam/config/schema.py" not in code
    module = "vi_simsiam.methods.temperature"
    file = "vi_simsiam/methods/temperature.py"
    monkeypatch.delitem(sys.modules, module, raising=False)
    made = RunRecord("pretrain", PARAMS)
    before = record._digest(file)
    monkeypatch.setattr(record, "_digest", lambda name: "edited meanwhile")
    made.write(results / "seed0")
    assert file not in record.read(results / "seed0")["code"]
    __import__(module)
    made.write(results / "seed0")
    assert record.read(results / "seed0")["code"][file] == before


def test_another_decoder_makes_other_stores(results, monkeypatch):
    monkeypatch.setattr(record, "_version", lambda name: "99")
    wanted = {"step": "cache_views", "params": {}, **SEED_0}
    before = record.read("store")["versions"]["pillow"]
    assert why_stale("store", [], **wanted) == f"other version of pillow: {before} -> 99"
    assert reason() is None  # a training reads the store, no files of images


def made_again(folder):
    with new_result(folder) as out:
        (out / "figures").mkdir()
        (out / "figures/b.bin").write_text("new")
        RunRecord("pretrain", PARAMS, ["store"], **SEED_0).write(out)


def test_a_new_result_takes_the_place_of_the_earlier_one(results):
    (results / "seed0/notes.txt").write_text("mine")
    made_again(results / "seed0")
    names = {path.relative_to(results).as_posix() for path in (results / "seed0").rglob("*") if path.is_file()}
    assert names == {f"seed0/{name}" for name in ("figures/b.bin", "run.json", "notes.txt")}  # a.bin is made no more
    verify(results / "seed0", "figures/b.bin")
    made_again(results / "first/of/all")
    assert reason("first/of/all") is None


def test_an_earlier_result_stays_until_the_new_one_is_whole(results):
    before = contents(results / "seed0")
    with pytest.raises(OSError, match="no memory"), new_result(results / "seed0") as out:
        (out / "a.bin").write_text("half")
        raise OSError("no memory")
    assert contents(results / "seed0") == before
    with new_result(results / "seed0") as out:  # nothing is left of the attempt
        assert not list(out.iterdir())
        RunRecord("pretrain", PARAMS, ["store"], **SEED_0).write(out)


def test_a_place_that_cannot_be_written_is_a_sentence(results):
    (results / "file").touch()
    with (
        pytest.raises(Problem, match=r"file/.*run\.json cannot be written: Not a directory"),
        new_result(results / "file"),
    ):
        pytest.fail("the job began")
    (results / "seed0/figures/b.bin").mkdir(parents=True)
    with pytest.raises(Problem, match=r"seed0/figures/b\.bin cannot be written: Is a directory"):
        made_again(results / "seed0")


def test_a_result_that_is_half_replaced_has_no_record(results, monkeypatch):
    replace = os.replace

    def killed(source, target):
        if Path(target).name == "run.json" and record.UNFINISHED not in Path(target).parts:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        made_again(results / "seed0")
    assert "seed0/run.json does not exist" in reason()


def contents(folder):
    """The files that are no unfinished ones."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_other_inputs_and_entries(results):
    RunRecord("cache_views", {}).write(results / "store", checksums={"a.bin": "other"})
    assert reason() == "other contents of store/a.bin"
    assert reason(weights="x") == "other weights" and reason(runs=["x"]) == "other data sets, methods or seeds"


def test_a_record_that_is_missing_damaged_or_older(results):
    path = results / "seed0/run.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"code": "0123456789abcdef"}))
    assert reason() == "seed0/run.json is of an older version"
    path.write_text(text[:100])
    assert "seed0/run.json is not readable as JSON" in reason()
    path.unlink()
    assert "seed0/run.json does not exist" in reason()


def test_a_damaged_file_is_refused(results):
    verify(results / "seed0", "a.bin")
    (results / "seed0/a.bin").write_text("damaged")
    with pytest.raises(Problem, match=r"a\.bin is damaged.* Delete the folder .*seed0 and run again"):
        verify(results / "seed0", "a.bin")
    (results / "seed0/a.bin").unlink()
    with pytest.raises(Problem, match=r"a\.bin is missing"):
        verify(results / "seed0", "a.bin")
    with pytest.raises(Problem, match=r"b\.bin is missing"):
        verify(results / "seed0", "b.bin")
