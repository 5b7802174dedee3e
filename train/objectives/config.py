"""Settings of what is learnt, and what a model is good for that was trained by them."""

from dataclasses import dataclass

from pydantic import model_validator
from torch import nn

from train.models.vilt import Vilt
from train.objectives.contrastive import ContrastiveConfig
from train.objectives.masked import Goal, MaskedConfig, Rebuilt, goals
from train.objectives.masks import Mode, row_counts
from train.objectives.matching import MatchingConfig
from train.objectives.weighing import PairWeightsConfig
from train.rows import Rows


class ObjectiveConfig(MaskedConfig):
    """Masked modelling's settings, the terms beside it, and how much each pair counts."""

    contrastive: ContrastiveConfig = ContrastiveConfig()
    matching: MatchingConfig = MatchingConfig()
    pair_weights: PairWeightsConfig = PairWeightsConfig()

    @model_validator(mode="after")
    def _terms_have_what_they_need(self) -> "ObjectiveConfig":
        if self.contrastive.weight:
            return self
        if not any(weight for _, weight in self.weights):
            raise ValueError("nothing is learnt: give one of objective.weights or contrastive a weight above 0")
        if self.matching.weight:
            raise ValueError("matching finds its hard negatives by the contrast: give contrastive a weight above 0")
        if self.pair_weights.by == "loss":
            raise ValueError("pair_weights.by=loss judges by the contrast's loss: give contrastive a weight above 0")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What may be asked of a model: a head that no term trained answers with noise."""

    shared: bool  # the embedding that images and texts share
    matched: bool  # whether an image and a text belong to each other
    hidden_pieces: bool  # the pieces of a caption that is wholly hidden, each at its place
    hidden_bag: bool  # the same caption as a bag of words


def learnt(config: ObjectiveConfig, rows: Rows) -> Learnt:
    """What training by `config` teaches in micro batches of `rows`."""
    hidden = {goal.rebuilt for goal in _learnt_goals(config, rows).get(Mode.TEXT_HIDDEN, ())}
    return Learnt(
        shared=config.contrastive.weight > 0 and rows.compared > 1,
        matched=config.matching.weight > 0 and rows.pairs > 1,  # each process looks among its own for wrong partners
        hidden_pieces=Rebuilt.PIECES in hidden,
        hidden_bag=Rebuilt.BAG in hidden,
    )


def untaught(model: Vilt, config: ObjectiveConfig, rows: Rows) -> dict[str, nn.Parameter]:
    """The parameters, by name, that no term of `config` reaches in such micro batches: they can be frozen.

    DDP waits for the gradient of every parameter that is not.
    """
    modes = _learnt_goals(config, rows)
    rebuilt = {goal.rebuilt for wanted in modes.values() for goal in wanted}
    contrasts, matches = (rows.pairs > 0 and term.weight > 0 for term in (config.contrastive, config.matching))
    reached: dict[nn.Module | nn.Parameter, bool] = {
        model.text: contrasts or any(mode is not Mode.IMAGE_ONLY for mode in modes),
        model.image: contrasts or any(mode not in (Mode.IMAGE_HIDDEN, Mode.TEXT_ONLY) for mode in modes),
        model.token_head: Rebuilt.PIECES in rebuilt,
        model.bag_head: Rebuilt.BAG in rebuilt,
        model.decoder: Rebuilt.PATCHES in rebuilt,
        model.image_projection: contrasts,
        model.text_projection: contrasts,
        model.log_scale: contrasts,
        model.matching_head: matches,
    }
    left = {id(parameter) for part, is_reached in reached.items() if not is_reached for parameter in _parameters(part)}
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) in left}


def _learnt_goals(config: ObjectiveConfig, rows: Rows) -> dict[Mode, tuple[Goal, ...]]:
    """The terms of each mode that has both rows and a term that weighs something."""
    counts = row_counts(config, rows.pairs, rows.lone)
    return {mode: wanted for mode, wanted in goals(config.weights).items() if counts[mode] and wanted}


def _parameters(part: nn.Module | nn.Parameter) -> list[nn.Parameter]:
    return [part] if isinstance(part, nn.Parameter) else [*part.parameters()]
