"""Settings of what is learnt, and what a model is good for that was trained by them."""

from dataclasses import dataclass

from train.objectives.contrastive import ContrastiveConfig
from train.objectives.masked import MaskedWeights
from train.objectives.masks import MaskConfig, Mode, row_counts


class ObjectiveConfig(MaskConfig):
    """The mask plan's settings, the weights of its terms, and the terms beside it."""

    weights: MaskedWeights = MaskedWeights()
    contrastive: ContrastiveConfig = ContrastiveConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What may be asked of a model: a head that no term trained answers with noise."""

    shared: bool  # the embedding that images and texts share
    hidden_pieces: bool  # the pieces of a caption that is wholly hidden, each at its place
    hidden_bag: bool  # the same caption as a bag of words


def learnt(config: ObjectiveConfig, *, rows: int) -> Learnt:
    """What training by `config` in batches of `rows` teaches."""
    hidden = row_counts(config, rows)[Mode.TEXT_HIDDEN] > 0
    return Learnt(
        shared=config.contrastive.weight > 0 and rows > 1,
        hidden_pieces=hidden and config.weights.hidden_text > 0,
        hidden_bag=hidden and config.weights.hidden_text_bow > 0,
    )
