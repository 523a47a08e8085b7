import json

import pytest

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.manifest import verified_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data set"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.gz").write_bytes(b"abc")
    (folder / "sub" / "b.gz").write_bytes(b"")
    write_manifest(folder, "mine", "digits", ["a.gz", "sub/b.gz"])
    return folder


def test_written_and_read(folder):
    manifest = verified_manifest(folder)
    assert (manifest.dataset, manifest.source, manifest.paths) == ("mine", "digits", ("a.gz", "sub/b.gz"))
    assert json.loads((folder / "manifest.json").read_text())["files"][0] == {
        "path": "a.gz",
        "bytes": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


@pytest.mark.parametrize("damage,said", [
    (lambda f: (f / "a.gz").write_bytes(b"abd"), "a.gz is damaged: its SHA-256"),
    (lambda f: (f / "a.gz").write_bytes(b"ab"), "a.gz is damaged: it has 2 bytes, not 3"),
    (lambda f: (f / "a.gz").write_bytes(b""), "a.gz is damaged: it has 0 bytes"),
    (lambda f: (f / "a.gz").unlink(), "a.gz is missing"),
    (lambda f: (f / "manifest.json").unlink(), "manifest.json does not exist"),
    (lambda f: (f / "manifest.json").write_text("{"), "manifest.json is not readable"),
    (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json is not a manifest"),
    (lambda f: (f / "manifest.json").write_text('{"files": [{}]}'), "manifest.json is not a manifest"),
])  # fmt: skip
def test_damage_is_named(folder, damage, said):
    damage(folder)
    with pytest.raises(Problem) as caught:
        verified_manifest(folder)
    assert said in str(caught.value) and str(folder) in str(caught.value)
    assert "run the step again" in str(caught.value) or "snakemake --cores all" in str(caught.value)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "sub/../../outside", "link/outside"])
def test_paths_out_of_the_folder_are_refused(folder, path):
    (folder.parent / "outside").write_bytes(b"abc")
    (folder / "link").symlink_to(folder.parent)
    written = json.loads((folder / "manifest.json").read_text())
    written["files"][0]["path"] = path
    (folder / "manifest.json").write_text(json.dumps(written))
    with pytest.raises(Problem, match="is not inside the folder"):
        verified_manifest(folder)
