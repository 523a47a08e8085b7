import pytest

from helpers.models import encoder
from vi_simsiam.cli.rank import encoding, head_training


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Make trainings short: few steps and views."""
    monkeypatch.setattr(head_training, "_STEPS", 10)
    monkeypatch.setattr(encoding, "_LEAST_VIEWS", 0)


@pytest.fixture
def encoded(monkeypatch):
    """Number of images (views and wholes) in each call of the encoder."""
    calls, encode = [], encoding.Encoder._encoded
    monkeypatch.setattr(encoding.Encoder, "_encoded", lambda e, pixels: calls.append(len(pixels)) or encode(e, pixels))
    return calls
