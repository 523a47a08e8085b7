"""A head that predicts one number for an image, for instance its certainty."""

from torch import Tensor, nn

from vi_simsiam.nn.backbones import mlp


class ScalarHead(nn.Module):
    """Map (B, dim) features to one number r per image, (B,) float32; all are 0 when training begins.

    It has one hidden layer with batch norm. The sum of its units is divided by the root of their number, so that the
    width does not change how fast r learns.

    Args:
        inputs: dim.
        hidden: width of the hidden layer.
        gain: factor on r; a larger one makes r learn faster.
    """

    def __init__(self, inputs: int, hidden: int, gain: float):
        super().__init__()
        self.layers = mlp(inputs, hidden, 1, layers=2)
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)
        self.factor = gain / hidden**0.5

    def forward(self, features: Tensor) -> Tensor:
        return self.factor * self.layers(features).squeeze(-1).float()
