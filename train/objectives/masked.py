"""Masked modelling: hide, encode what is left, rebuild; one loss term a modality and mode.

batch, plan -> for each mode: its rows, hidden pieces as [MASK], shown patches -> encode -> heads -> terms

A term whose weight is 0 is not computed, nor is a mode all of whose terms weigh nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch
from train.models.embeddings import TextInput, gather_rows, shown_patches
from train.models.vilt import Encoded, Vilt
from train.objectives.base import Losses, Term
from train.objectives.losses import bag_loss, bags, coarse, normalised, patch_loss, piece_accuracy, piece_loss
from train.objectives.masks import MaskConfig, MaskPlan, Mode, ModePlan, draw_plan


class MaskedWeights(Config):
    """How much each term counts. A term is named as its weight is."""

    joint_text: float = Field(1.0, ge=0)
    joint_image: float = Field(1.0, ge=0)
    hidden_text: float = Field(1.0, ge=0)  # piece by piece, each at its place
    hidden_text_bow: float = Field(1.0, ge=0)  # as a bag of words: speech does not follow the picture's order
    hidden_image: float = Field(1.0, ge=0)
    hidden_image_text: float = Field(0.5, ge=0)  # the few pieces hidden beside a hidden image
    lone_text: float = Field(0.5, ge=0)
    lone_image: float = Field(0.5, ge=0)


class ImageTargets(Config):
    """What hidden patches are rebuilt as: pixels standardised over the data, or each patch normalised by itself."""

    joint: Literal["normalised", "standardised"] = "normalised"  # beside seen patches, with or without a text
    # From the text alone. It tells brightness and layout, which normalising takes away; lowres also spares texture.
    hidden: Literal["standardised", "normalised", "lowres"] = "standardised"


class MaskedConfig(MaskConfig):
    """Settings of masked modelling."""

    weights: MaskedWeights = MaskedWeights()
    image_target: ImageTargets = ImageTargets()
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # of hidden pieces, over the vocabulary


class Rebuilt(Enum):
    """What a term asks for."""

    PIECES = auto()
    BAG = auto()
    PATCHES = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One term of a mode."""

    name: str  # of its weight
    rebuilt: Rebuilt
    crosses: bool  # it is to be learnt from the other modality: a pair that does not agree counts less


GOALS: dict[Mode, tuple[Goal, ...]] = {
    Mode.JOINT: (
        Goal(name="joint_text", rebuilt=Rebuilt.PIECES, crosses=True),
        Goal(name="joint_image", rebuilt=Rebuilt.PATCHES, crosses=False),
    ),
    Mode.TEXT_HIDDEN: (
        Goal(name="hidden_text", rebuilt=Rebuilt.PIECES, crosses=True),
        Goal(name="hidden_text_bow", rebuilt=Rebuilt.BAG, crosses=True),
    ),
    Mode.IMAGE_HIDDEN: (
        Goal(name="hidden_image", rebuilt=Rebuilt.PATCHES, crosses=True),
        Goal(name="hidden_image_text", rebuilt=Rebuilt.PIECES, crosses=False),
    ),
    Mode.TEXT_ONLY: (Goal(name="lone_text", rebuilt=Rebuilt.PIECES, crosses=False),),
    Mode.IMAGE_ONLY: (Goal(name="lone_image", rebuilt=Rebuilt.PATCHES, crosses=False),),
}


def goals(weights: MaskedWeights) -> dict[Mode, tuple[Goal, ...]]:
    """The terms of each mode that weigh something."""
    heavy = {name for name, weight in weights if weight}
    return {mode: tuple(goal for goal in all_of_it if goal.name in heavy) for mode, all_of_it in GOALS.items()}


class MaskedModeling:
    """Rebuild what the plan hides."""

    def __init__(self, config: MaskedConfig, *, mask_token: int, patches: int) -> None:
        self._config = config
        self._weights = dict(config.weights)
        self._goals = goals(config.weights)
        self._mask_token = mask_token
        self._patches = patches

    def draw(self, batch: Batch, generator: torch.Generator) -> MaskPlan:
        return draw_plan(
            self._config,
            batch.real_BL,
            patches=self._patches,
            generator=generator,
            begins_BL=batch.begins_BL,
            lone=(batch.lone_texts, batch.lone_images),
        )

    def __call__(self, model: Vilt, batch: Batch, drawn: MaskPlan, weights_B: Tensor | None = None) -> Losses:
        """`weights_B` of the pairs, if some count less than others; rows of one modality have none."""
        patches_BNP = model.patchify(batch.images_BCSS)
        parts = [
            self._mode(model, _rows(batch, patches_BNP, plan, mask_token=self._mask_token), weights_B)
            for plan in drawn.modes
            if self._goals[plan.mode]
        ]
        return Losses.of(parts)

    def _mode(self, model: Vilt, rows: "_Rows", weights_B: Tensor | None) -> Losses:
        encoded = rows.encode(model)
        terms, accuracies = [], {}
        for goal in self._goals[rows.plan.mode]:
            weights_R = weights_B[rows.plan.rows_R] if weights_B is not None and goal.crosses else None
            match goal.rebuilt:
                case Rebuilt.PIECES:
                    value, accuracies[goal.name] = self._pieces(model, rows, encoded, weights_R)
                case Rebuilt.BAG:
                    value = _bag(model, rows, encoded, weights_R)
                case Rebuilt.PATCHES:
                    value = self._pixels(model, rows, encoded, weights_R)
            terms.append(Term(name=goal.name, value=value, weight=self._weights[goal.name]))
        return Losses(terms=tuple(terms), accuracies=accuracies)

    def _pieces(self, model: Vilt, rows: "_Rows", encoded: Encoded, weights_R: Tensor | None) -> tuple[Tensor, Tensor]:
        pieces = rows.plan.pieces
        assert encoded.text_RLD is not None and pieces is not None
        logits_HV = model.token_logits(encoded.text_RLD.flatten(0, 1)[pieces.slots_H])
        tokens_H, counted_H = rows.tokens_RL.flatten()[pieces.slots_H], pieces.counted_H.float()
        weights_H = counted_H if weights_R is None else counted_H * weights_R[pieces.rows_H]
        loss = piece_loss(logits_HV, tokens_H, weights_H, smoothing=self._config.label_smoothing)
        return loss, piece_accuracy(logits_HV.detach(), tokens_H, counted_H)

    def _pixels(self, model: Vilt, rows: "_Rows", encoded: Encoded, weights_R: Tensor | None) -> Tensor:
        assert rows.plan.hidden_RM is not None
        targets = self._config.image_target
        target = _TARGETS[targets.hidden if rows.plan.mode is Mode.IMAGE_HIDDEN else targets.joint]
        wanted_RMP = target(gather_rows(rows.patches_RNP, rows.plan.hidden_RM))
        return patch_loss(model.rebuild(encoded, rows.plan.hidden_RM), wanted_RMP, weights_R=weights_R)


_TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "standardised": lambda patches_RMP: patches_RMP,
    "normalised": normalised,
    "lowres": coarse,
}


def _bag(model: Vilt, rows: "_Rows", encoded: Encoded, weights_R: Tensor | None) -> Tensor:
    assert encoded.text_RLD is not None
    wanted_RV = bags(rows.tokens_RL, rows.real_RL, model.bag_head.idf_V)
    return bag_loss(model.bag_head(encoded.text_RLD[:, 0]), wanted_RV, weights_R=weights_R)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows of one mode, on the model's device."""

    plan: ModePlan
    tokens_RL: Tensor  # the truth
    real_RL: Tensor
    text: TextInput | None  # what the encoder reads
    patches_RNP: Tensor

    def encode(self, model: Vilt) -> Encoded:
        shown_RK = self.plan.shown_RK
        image = None if shown_RK is None else shown_patches(self.patches_RNP, shown_RK)
        return model.encode(self.text, image)


def _rows(batch: Batch, patches_BNP: Tensor, plan: ModePlan, *, mask_token: int) -> _Rows:
    tokens_RL, real_RL = batch.tokens_BL[plan.rows_R], batch.real_BL[plan.rows_R]
    text = None
    if plan.hidden_RL is not None:
        masked_RL = tokens_RL.masked_fill(plan.hidden_RL, mask_token)
        text = TextInput(tokens_RL=masked_RL, real_RL=None if plan.mode is Mode.TEXT_HIDDEN else real_RL)
    return _Rows(plan=plan, tokens_RL=tokens_RL, real_RL=real_RL, text=text, patches_RNP=patches_BNP[plan.rows_R])
