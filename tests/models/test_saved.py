"""Models and checkpoints on disk: the same numbers come back, and damage is named."""

import json
import pickle

import pytest
import torch

from helpers.small import pretrain_params
from vi_simsiam.config.schema import parse
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.models import saved
from vi_simsiam.training.checkpoint import load_checkpoint, save_checkpoint

IMAGES = ImageSpec(16, 3, (0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
PARAMS = pretrain_params("vi_simsiam").model_dump(exclude_none=True)


def network(seed=0):
    torch.manual_seed(seed)
    return build("vi_simsiam", parse("pretrain", PARAMS, "vi_simsiam"), IMAGES)


@pytest.fixture
def written(tmp_path):
    model = network()
    saved.save(tmp_path, model, saved.describe("vi_simsiam", PARAMS, IMAGES, dataset="x"))
    return tmp_path, model


def test_a_model_comes_back(written):
    folder, model = written
    again, description = saved.load(folder)
    images = torch.rand(3, 3, 16, 16)
    features = model.eval().features(images)
    torch.testing.assert_close(again.features(images), features)
    torch.testing.assert_close(again.certainty(features)["kappa"], model.certainty(features)["kappa"])
    assert not again.training and description["dataset"] == "x" and description["images"]["mean"] == [0.4, 0.5, 0.6]


def test_a_model_of_an_earlier_version_comes_back(tmp_path):
    """One of its parameters no longer exists."""
    saved.save(tmp_path, network(), saved.describe("vi_simsiam", PARAMS | {"compile": False}, IMAGES, dataset="x"))
    assert saved.load(tmp_path)[1]["params"]["compile"] is False


@pytest.mark.parametrize("damage", ["truncated", "emptied", "removed", "pickle", "other network"])
def test_a_damaged_model_is_named(written, damage):
    folder, _ = written
    path = folder / "model.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "removed":
        path.unlink()
    elif damage == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    else:
        description = json.loads((folder / "model.json").read_text())
        description["params"]["backbone"]["width"] = 8
        (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(Problem, match=r"model\.safetensors.*pretrain"):
        saved.load(folder)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a model file was executed",))


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_description_is_named(written, text):
    (written[0] / "model.json").write_text(text)
    with pytest.raises(Problem, match=r"model\.json"):
        saved.load(written[0])


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"method": None},
        {"method": "newer"},
        {"images": None},
        {"images": {"size": 16, "newer": 1}},
        {"params": None},
    ]
    + [{"params": value} for value in ([1], {"newer": 1}, {"epochs": "x"})],
)
def test_a_description_that_this_version_cannot_use_is_named(written, change):
    """Without an entry that it needs (None), or with one of a newer version."""
    path = written[0] / "model.json"
    description = {name: value for name, value in (read_json(path) | change).items() if value is not None}
    path.write_text(json.dumps(description))
    with pytest.raises(Problem, match=r"model\.json is incomplete, or another version wrote it \(.+\)\. Use that"):
        saved.load(written[0])


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff" * 64, None])
def test_a_damaged_checkpoint_is_never_used(tmp_path, damage, capsys):
    model = network()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, network(seed=3), optimizer, {"history": []})
    path.write_bytes(path.read_bytes()[:-9] if damage is None else damage)
    assert load_checkpoint(path, model, optimizer) is None
    assert "c.safetensors" in capsys.readouterr().out
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert load_checkpoint(tmp_path / "absent", model, optimizer) is None
