"""Variational auto-encoder: Kingma and Welling (2014), arXiv 1312.6114, on the same encoder as the other methods."""

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from vi_simsiam.config.schema import VaeTraining
from vi_simsiam.core import distributed
from vi_simsiam.methods.base import ImageSpec, Losses, Method

# The decoder's width if the encoder has none: that of the recipes from scratch on two cores. Twice the width takes four
# times as long, and on a frozen encoder the decoder takes most of the training's time.
_DECODER_WIDTH = 16


class Vae(Method):
    """Reconstruct each view from a Gaussian code; the posterior's width is the per-image uncertainty.

    -ELBO = E_q[-log p(x | z)] + KL(q(z | x) || N(0, I)) with the pixel likelihood N(decoder(z), sigma^2). Both terms
    are multiplied by sigma^2 / number of pixel values: the first is then half the mean squared error up to a constant,
    and the learning rates of the other methods carry over.
    """

    latent = prior = target = Normal
    certainty_scores = ("posterior_precision",)
    needs_pixels = True  # it reconstructs them

    def __init__(self, params: VaeTraining, images: ImageSpec):
        super().__init__(params.backbone, images)
        self.sigma = params.vae.sigma
        self.posterior_head = nn.Linear(self.backbone.dim, 2 * params.vae.latent)
        self.decoder = Decoder(params.vae.latent, params.backbone.width or _DECODER_WIDTH, images)

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, dim) features to mean and log sigma of q(z | x), each (B, d), float32."""
        mean, log_sigma = self.posterior_head(features).float().chunk(2, dim=-1)
        # Training stays far inside exp(+-7); the bound prevents an overflow in a bad first step.
        return mean, log_sigma.clamp(-7, 7)

    def projection(self, features: Tensor) -> Tensor:
        """The mean of q(z | x)."""
        return self.posterior(features)[0]

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        """`posterior_precision`: minus the mean log sigma of the posterior, in nats."""
        return {"posterior_precision": -self.posterior(features)[1].mean(-1)}

    def forward(self, views: tuple[Tensor, Tensor], phase: Any = None) -> Losses:
        means: list[Tensor] = []
        align: Any = 0.0
        kl: Any = 0.0
        for view in views:
            mean, log_sigma = self.posterior(self.features(view))
            # Drawn for the whole batch, so an image's noise does not depend on the number of processes.
            noise = torch.randn(distributed.count() * len(mean), mean.shape[1], device=mean.device)
            z = mean + log_sigma.exp() * distributed.own_slice(noise)
            scale = self.sigma**2 / view[0].numel() / 2  # / 2: the mean over two views
            align = align + scale * self.pixel_loss(self.decoder(z).float(), view).mean()
            kl = kl + scale * gaussian_kl(mean, log_sigma).mean()
            means.append(nn.functional.normalize(mean.detach(), dim=-1))
        monitors = {"mean_cosine": (means[0] * means[1]).sum(-1).mean(), "embedding": means[0]}
        return Losses(align=align, uniform=align.new_zeros(()), kl=kl, monitors=monitors)

    def pixel_loss(self, decoded: Tensor, images: Tensor) -> Tensor:
        """-log N(images; decoded, sigma^2) summed over pixels: (B, C, H, W) twice to (B,), nats."""
        squares = ((decoded - images) / self.sigma) ** 2 / 2
        constant = math.log(self.sigma) + math.log(2 * math.pi) / 2
        return (squares + constant).flatten(1).sum(-1)


def gaussian_kl(mean: Tensor, log_sigma: Tensor) -> Tensor:
    """KL(N(mean, sigma^2) || N(0, I)) of (B, d) parameters: (B,), nats. Kingma and Welling (2014), appendix B."""
    return ((mean**2 + (2 * log_sigma).exp() - 1) / 2 - log_sigma).sum(-1)


class Double(nn.Module):
    """Repeat each pixel four times: (B, C, H, W) to (B, C, 2 H, 2 W)."""

    def forward(self, x: Tensor) -> Tensor:
        # CUDA's autocast would convert to float32, though this only copies numbers.
        with torch.autocast(x.device.type, enabled=False):
            return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


class Decoder(nn.Module):
    """Map (B, latent) codes to (B, C, size, size) images by three convolutions, each with nearest up-sampling by 2.

    Each convolution comes before its up-sampling: after it, it would cost four times as much.
    """

    def __init__(self, latent: int, width: int, images: ImageSpec):
        super().__init__()
        self.side, self.size = math.ceil(images.size / 8), images.size
        self.first = nn.Linear(latent, 4 * width * self.side**2)
        widths = [4 * width, 4 * width, 2 * width, width]
        blocks = []
        for before, after in pairwise(widths):
            blocks += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                Double(),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Conv2d(width, images.channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).unflatten(1, (-1, self.side, self.side))
        x = self.last(self.blocks(x))
        return x[..., : self.size, : self.size]  # the side was rounded up to a multiple of 8


METHOD = Vae
