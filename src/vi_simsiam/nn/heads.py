"""A head that predicts one number for an image, such as its certainty."""

from torch import Tensor, nn

from vi_simsiam.nn.backbones import mlp


class ScalarHead(nn.Module):
    """(B, dim) features to a number r of each image, (B,) float32: 0 for all of them when training begins.

    One hidden layer, whose units are normalised: their sum over the root of their number, so that the speed at which r
    learns does not depend on the width.

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
