"""Settings of what is learnt."""

from train.objectives.contrastive import ContrastiveConfig
from train.objectives.masked import MaskedWeights
from train.objectives.masks import MaskConfig


class ObjectiveConfig(MaskConfig):
    """The mask plan's settings, the weights of its terms, and the terms beside it."""

    weights: MaskedWeights = MaskedWeights()
    contrastive: ContrastiveConfig = ContrastiveConfig()
