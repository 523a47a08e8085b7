"""DINO: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers" (2021), arXiv 2104.14294."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn.functional import normalize

from vi_simsiam.config.schema import DinoParams, DinoTraining
from vi_simsiam.core import distributed
from vi_simsiam.methods.base import ImageSpec, Losses, Method
from vi_simsiam.methods.moving_average import follow, rising
from vi_simsiam.nn import elbo_terms
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.sphere import dot_products


class Head(nn.Module):
    """Map features to cosines with K prototypes: the projector, then a linear layer between normalised vectors.

    The linear layer is DINO's last layer: weight-normalised, with its gain fixed to 1.
    """

    def __init__(self, inputs: int, projector, prototypes: int):
        super().__init__()
        self.projector = mlp(inputs, projector.hidden, projector.out, projector.layers, last_norm=True)
        self.prototypes = nn.Parameter(torch.randn(prototypes, projector.out))

    def embedding(self, features: Tensor) -> Tensor:
        """(B, dim) to unit vectors (B, d), float32."""
        return normalize(self.projector(features).float(), dim=-1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, dim) features to (B, K) logits before the temperature, in [-1, 1]."""
        return self.logits(self.embedding(features))

    def logits(self, embedding: Tensor) -> Tensor:
        """(B, d) unit vectors to (B, K) cosines with the prototypes."""
        return dot_products(embedding, normalize(self.prototypes.float(), dim=-1))


class Dino(Method):
    """The student predicts, from one view, the class that the teacher gives to the other.

    Classes are K unnamed prototypes. The teacher is a moving average of the student. Centring its logits avoids a
    collapse to one class, and sharpening them avoids a collapse to the uniform distribution. The teacher's encoder is
    evaluated, as in the paper. The paper's small crops are left out, so that all methods see the same two views.
    """

    latent = prior = target = Categorical
    certainty_scores = ("negative_entropy",)

    def __init__(self, params: DinoTraining, images: ImageSpec):
        super().__init__(params.backbone, images)
        self.dino: DinoParams = params.dino
        self.head = Head(self.backbone.dim, params.projector, self.dino.prototypes)
        if not self.frozen:  # else student and teacher share it
            self.student_backbone = copy.deepcopy(self.backbone)
        self.student_head = copy.deepcopy(self.head)
        self.backbone.requires_grad_(False)
        self.head.requires_grad_(False)
        self.register_buffer("centre", torch.zeros(self.dino.prototypes))

    def load_encoder_weights(self, tensors: dict[str, Tensor], origin: str) -> None:
        super().load_encoder_weights(tensors, origin)
        if not self.frozen:
            self.student_backbone.load_state_dict(self.backbone.state_dict())

    @property
    def trained_encoder(self) -> nn.Module:
        return self.backbone if self.frozen else self.student_backbone

    def projection(self, features: Tensor) -> Tensor:
        return self.head.projector(features)

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        """`negative_entropy`: of the teacher's categorical, nats in [-log K, 0]."""
        q = self.teacher_probabilities(self.head(features))
        return {"negative_entropy": torch.xlogy(q, q).sum(-1)}

    def teacher_probabilities(self, logits: Tensor) -> Tensor:
        """q(z | x), (B, K): centred and sharpened."""
        return torch.softmax((logits - self.centre) / self.dino.teacher_temperature, dim=-1)

    def forward(self, views: tuple[Tensor, Tensor], phase: Any = None) -> Losses:
        with torch.no_grad():
            features = [self.features(view) for view in views]
            z = [self.head.embedding(f) for f in features]
            logits = [self.head.logits(each) for each in z]
            q = [self.teacher_probabilities(t) for t in logits]
        if not self.frozen:
            features = [self.student_backbone(self.standardised(view)) for view in views]
        students = [self.student_head(f) for f in features]
        log_p = [torch.log_softmax(s / self.dino.student_temperature, dim=-1) for s in students]
        # Each student's view against the teacher's other view.
        align = -((q[1] * log_p[0]).sum(-1).mean() + (q[0] * log_p[1]).sum(-1).mean()) / 2
        if self.training:
            mean = (logits[0].mean(0) + logits[1].mean(0)) / 2
            self.centre.lerp_(distributed.mean(mean), 1 - self.dino.centre_momentum)
        monitors = {"mean_cosine": (z[0] * z[1]).sum(-1).mean(), "embedding": z[0]}
        monitors |= elbo_terms.categorical_terms(log_p[0].detach(), q[1])
        zero = align.new_zeros(())
        return Losses(align=align, uniform=zero, kl=zero, monitors=monitors)

    def after_step(self, progress: float) -> None:
        """Move the teacher's weights towards the student's, more slowly as the training proceeds."""
        momentum = rising(self.dino.teacher_momentum, progress)
        if not self.frozen:
            follow(self.backbone, self.student_backbone, momentum)
        follow(self.head, self.student_head, momentum)


METHOD = Dino
