"""The baseline of every table: the same encoder, never trained."""

from vi_simsiam.config.schema import UntrainedParams
from vi_simsiam.methods.base import ImageSpec, Method


class Untrained(Method):
    """A randomly initialised encoder. It scores high on easy images, so compare other accuracies with it."""

    latent = prior = target = None
    certainty_scores = ()

    def __init__(self, params: UntrainedParams, images: ImageSpec):
        super().__init__(params.backbone, images)


METHOD = Untrained
