"""The base class of all methods.

A method states its latent distribution, its prior, its target and its certainty scores (docs/method.md has the table).
It returns the three terms of the variational objective, which training adds up and logs. The encoder, the views and
the schedule are the same for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from vi_simsiam.config.encoder_params import BackboneParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.randomness import generator
from vi_simsiam.methods import encoders
from vi_simsiam.nn.inference import fast_encoder
from vi_simsiam.nn.precision import exact_float32
from vi_simsiam.nn.threads import by_piece

# Images that are encoded at once in evaluation, if the encoder resizes them or is frozen. The second is for each thread
# of a CPU, whose caches are small.
_PIECE, _PIECE_OF_THREAD = 64, 16


@dataclass(frozen=True)
class ImageSpec:
    """The form of an encoder's images.

    Attributes:
        size: height and width in pixels.
        channels: 1 or 3.
        mean, std: per channel, of images in [0, 1]; inputs are standardised with them. Three values for grey images if
            the encoder only takes colour images: it then gets the grey channel three times.
        depth: number of bits used of grey images of 16 bits; new images are read in the same way.
        input_size: height and width in pixels to which images are resized for the encoder; None: not resized.
        interpolation: bilinear or bicubic, antialiased, to `input_size`.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    depth: int = 16
    input_size: int | None = None
    interpolation: str = "bilinear"


class Losses(NamedTuple):
    """Terms of -J = -(J_align + J_uniform + J_KL), scalars in the units of the method (docs/method.md).

    Attributes:
        align: disagreement of the views (for the VAE: reconstruction error).
        uniform: concentration of the aggregate posterior; 0 if the method has no explicit term.
        kl: KL(q || prior) up to a constant, or a penalty in its place; 0 if the method has neither.
        monitors: detached tensors for the history: `mean_cosine` (scalar), `embedding` (B, d), `kappa` (B,) or (2B,),
            the predicted concentration or its equivalent (1/tau, a rate), `expected_cosine` (scalar) of that
            concentration, and estimates of the three terms in nats (scalars; see vi_simsiam.nn.elbo_terms). Every
            method has the first two.
    """

    align: Tensor
    uniform: Tensor
    kl: Tensor
    monitors: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """-J, the loss that a training minimises."""
        return self.align + self.uniform + self.kl


class CertaintyBounds(NamedTuple):
    """Range in which the median of a learnt certainty (the history's `kappa_q50`) is meaningful.

    Attributes:
        what: name of the certainty, for messages.
        low, high: bounds of the median.
        flat, sure: descriptions of the fault below `low` and above `high`.
        way_out: advice for both.
    """

    what: str
    low: float
    high: float
    flat: str
    sure: str
    way_out: str


class Method(nn.Module):
    """Base of all methods: a backbone with standardised images, and statements about the latent."""

    latent: ClassVar[type | None]  # class of p_theta(z | x); None: the method has no latent
    prior: ClassVar[type | None]  # class of p(z)
    target: ClassVar[type | None]  # class of q(z | x)
    needs_pixels: ClassVar[bool] = False  # whether the objective reads more of a view than its features
    # Returns stored features of images, in place of a frozen encoder: (B, C, H, W) to (B, dim), as `encode`.
    feature_cache: Callable[[Tensor], Tensor] | None = None
    caches_views = False  # True: also features of a training's views; views that are used only once are not stored
    certainty_scores: ClassVar[tuple[str, ...]]  # names of the method's scores; larger = more certain
    certainty_bounds: ClassVar[CertaintyBounds | None] = None  # outside of them the training is stopped
    # Advice for the error that kappa, read as an expected cosine, has collapsed.
    collapse_way_out: ClassVar[str] = "Lower pretrain.lr, or raise pretrain.warmup_epochs."

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        stated = ("latent", "prior", "target", "certainty_scores")
        if missing := [name for name in stated if not hasattr(cls, name)]:
            raise TypeError(f"method {cls.__name__} does not state {', '.join(missing)}: set them on the class.")

    def __init__(self, backbone: BackboneParams, images: ImageSpec):
        super().__init__()
        self.images, self.frozen = images, backbone.frozen
        self.backbone = encoders.network(backbone, len(images.mean), images.input_size or images.size)
        if self.frozen:
            self.backbone.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(images.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(images.std).view(1, -1, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a frozen encoder stays in evaluation mode, so that its batch norms do not learn."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @property
    def trained_encoder(self) -> nn.Module:
        """The encoder that the optimiser changes, unless it is frozen."""
        return self.backbone

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] to (B, backbone.dim) features, the representation that probes read.

        Features of a frozen encoder, (B, dim) in place of images, are returned unchanged.
        """
        if self.frozen:
            if images.ndim == 2:
                return images
            if self.feature_cache is None or (self.training and not self.caches_views):
                return self.encode(images)
            return self.feature_cache(images)
        return self.features_of(self.backbone, images)

    def features_of(self, encoder: nn.Module, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] to (B, dim) features of an encoder like `backbone`, such as its average."""
        if self.images.input_size is None or encoder.training:
            return encoder(self.standardised(images))
        # Images are enlarged to the encoder's size. In pieces, memory does not grow with the batch.
        return torch.cat([encoder(self.standardised(piece)) for piece in images.split(_PIECE)])

    @torch.no_grad()
    @exact_float32()
    def encode(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] to (B, dim) features of an encoder that is frozen, or in evaluation mode.

        They are float32, rounded to float16.

        An image's features do not depend on the other images or on the number of threads, to the bit: all pieces have
        the same size, so that libraries choose the same algorithm, and one thread computes each.

        Raises: Problem if float16 cannot hold a feature.
        """
        size = _PIECE_OF_THREAD if images.device.type == "cpu" else _PIECE

        def encoded(piece: Tensor) -> Tensor:
            full = torch.cat([piece, piece.new_zeros(size - len(piece), *piece.shape[1:])])
            return self.backbone(self.standardised(full))[: len(piece)].to(torch.float16)

        features = torch.cat(by_piece(encoded, images.split(size), images.device))
        if not torch.isfinite(features).all():
            raise Problem(
                "the encoder gives features that are not finite or beyond 65504: its weights do not belong to "
                "it. Name others in pretrain.backbone.weights."
            )
        return features.float()

    def speed_up_encoder(self) -> None:
        """Make `encode` faster on a CPU, for an encoder that is not trained again; features change by rounding."""
        if self.mean.device.type == "cpu":
            example = torch.rand(
                _PIECE_OF_THREAD, self.images.channels, *[self.images.size] * 2, generator=generator("fold")
            )
            self.backbone = fast_encoder(self.backbone, self.standardised(example))

    def standardised(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] as the encoder takes them: resized, with its mean and std removed."""
        if (size := self.images.input_size) not in (None, images.shape[-1]):
            resized = nn.functional.interpolate(images, (size, size), mode=self.images.interpolation, antialias=True)
            images = resized.clamp(0, 1)  # a bicubic filter overshoots; image files cannot
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def load_encoder_weights(self, tensors: dict[str, Tensor], origin: str) -> None:
        """Load the tensors of `encoders.initial_weights` into the encoder. Raises: Problem if they do not fit."""
        encoders.load(self.backbone, tensors, origin)

    def projection(self, features: Tensor) -> Tensor:
        """(B, dim) features to (B, d) vectors, whose directions are `embedding`; here the features themselves."""
        return features

    def embedding(self, features: Tensor) -> Tensor:
        """(B, dim) features to (B, d) unit vectors: the direction in which the views of an image should agree."""
        return nn.functional.normalize(self.projection(features).float(), dim=-1)

    @property
    def projects(self) -> bool:
        """True if the method compares the views of an image by other vectors than their features."""
        return type(self).projection is not Method.projection

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        """(B, dim) features to the method's certainty scores, each (B,), larger = more certain."""
        return {}

    def image_certainty(self, images: Tensor, features: Tensor) -> dict[str, Tensor]:
        """The method's scores that need more than features: pixels, or a second network.

        Args:
            images: (B, C, H, W) in [0, 1].
            features: (B, dim), of these images.

        Returns: scores as of `certainty`, under other names.
        """
        return {}

    @property
    def scores_images(self) -> bool:
        """True if `image_certainty` has a score, so that `own_scores` needs images."""
        return type(self).image_certainty is not Method.image_certainty

    def own_scores(self, features: Tensor, images: Tensor | None = None) -> dict[str, Tensor]:
        """All certainty scores that the method states, each (B,), larger = more certain.

        Args:
            features: (B, dim).
            images: (B, C, H, W) in [0, 1], of these features; None is enough unless the method `scores_images`.

        Raises: ValueError if `certainty` and `image_certainty` give other scores than `certainty_scores` names.
        """
        out = self.certainty(features)
        if self.scores_images:
            if images is None:
                raise ValueError(f"the scores of {type(self).__name__} need images, and only features were given")
            out = out | self.image_certainty(images, features)
        if set(out) != set(self.certainty_scores):
            raise ValueError(
                f"{type(self).__name__}: certainty and image_certainty give {sorted(out)}, but certainty_scores names "
                f"{sorted(self.certainty_scores)}"
            )
        return out

    def phase(self, progress: float) -> Any:
        """The argument `phase` of `forward`, from the share of the training that is done, in [0, 1); None: no phases.

        On a GPU, steps are recorded again whenever it changes (`training.graphed`), so changes should be rare.
        """
        return None

    def forward(self, views: tuple[Tensor, Tensor], phase: Any = None) -> Losses:
        """The objective on two views of the same images.

        Args:
            views: two tensors (B, C, H, W) in [0, 1]. They are encoded in two passes: batch statistics are per view.
                With a frozen encoder, their features (B, dim) can be given, unless the method `needs_pixels`.
            phase: of the training, from the method's `phase`; None: that of the beginning.

        Raises: TypeError for a method without an objective.
        """
        raise TypeError(f"{type(self).__name__} has no objective")

    def after_step(self, progress: float) -> None:
        """Update after each optimiser step, for instance a moving average; `progress` as in `phase`."""
