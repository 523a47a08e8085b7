"""SimSiam: Chen and He, "Exploring Simple Siamese Representation Learning" (2021), arXiv 2011.10566."""

from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam.backbones import mlp
from vi_simsiam.methods.base import ImageSpec, Losses, Method
from vi_simsiam.params import PretrainParams


class SimSiam(Method):
    """Predict one view's embedding from the other's, with a stop-gradient on the target.

    Read as variational inference, p(z | x_1) is a von Mises-Fisher distribution of constant concentration around the
    prediction mu_1 and q(z | x_2) a point at sg(z_2): log p is the cosine up to a factor and a constant.
    """

    latent = "S^(d-1), von Mises-Fisher with constant concentration"
    target = "point at the other view's embedding, stop-gradient"

    def __init__(self, params: PretrainParams, images: ImageSpec):
        super().__init__(params.backbone, images)
        projector, predictor = params.projector, params.predictor
        self.d = projector.out
        self.projector = mlp(self.backbone.dim, projector.hidden, self.d, projector.layers, last_norm=True)
        self.predictor = mlp(self.d, predictor.hidden, self.d, layers=2)

    def embedding(self, features: Tensor) -> Tensor:
        return normalize(self.projector(features).float(), dim=-1)

    def forward(self, views: tuple[Tensor, Tensor], progress: float) -> Losses:
        features = [self.features(view) for view in views]
        projections = [self.projector(f) for f in features]
        z = [normalize(p.float(), dim=-1) for p in projections]
        mu = [normalize(self.predictor(p).float(), dim=-1) for p in projections]
        # Each prediction against the other view's embedding; sg(z) is the stop-gradient.
        cosines = [(mu[0] * z[1].detach()).sum(-1), (mu[1] * z[0].detach()).sum(-1)]
        align, monitors = self.align(cosines, features, projections, progress)
        monitors |= {"mean_cosine": sum(c.detach().mean() for c in cosines) / 2, "embedding": z[0].detach()}
        zero = align.new_zeros(())
        return Losses(align=align, uniform=zero, kl=zero, monitors=monitors)

    def align(
        self, cosines: list[Tensor], features: list[Tensor], projections: list[Tensor], progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """-J_align from the cosines mu_i.sg(z_j), two tensors (B,): here their negative mean, SimSiam's eq. 2."""
        return -(cosines[0].mean() + cosines[1].mean()) / 2, {}


METHOD = SimSiam
