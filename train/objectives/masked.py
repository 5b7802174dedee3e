"""Masked modelling: hide, encode what is left, rebuild; one loss term a modality and mode.

batch, plan -> for each mode: its rows, hidden pieces as [MASK], shown patches -> encode -> heads -> terms
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch
from train.models.embeddings import TextInput, gather_rows, shown_patches
from train.models.vilt import Encoded, Vilt
from train.objectives.base import Losses, Term
from train.objectives.losses import bag_loss, bags, normalised, patch_loss, piece_loss
from train.objectives.masks import MaskConfig, MaskPlan, Mode, ModePlan, draw_plan


class MaskedWeights(Config):
    """How much each term counts."""

    joint_text: float = Field(1.0, ge=0)
    joint_image: float = Field(1.0, ge=0)
    hidden_text: float = Field(1.0, ge=0)  # piece by piece, each at its place
    hidden_text_bow: float = Field(1.0, ge=0)  # as a bag of words: speech does not follow the picture's order
    hidden_image: float = Field(1.0, ge=0)
    hidden_image_text: float = Field(0.5, ge=0)  # the few pieces hidden beside a hidden image
    lone_text: float = Field(0.5, ge=0)
    lone_image: float = Field(0.5, ge=0)


class MaskedModeling:
    """Rebuild what the plan hides."""

    def __init__(self, masks: MaskConfig, weights: MaskedWeights, *, mask_token: int, patches: int) -> None:
        self._masks = masks
        self._weights = weights
        self._mask_token = mask_token
        self._patches = patches

    def draw(self, batch: Batch, generator: torch.Generator) -> MaskPlan:
        return draw_plan(self._masks, batch.real_BL, patches=self._patches, generator=generator)

    def __call__(self, model: Vilt, batch: Batch, drawn: MaskPlan) -> Losses:
        patches_BNP = model.patchify(batch.images_BCSS)
        terms: list[Term] = []
        for part in drawn.modes:
            rows = _rows(batch, patches_BNP, part, mask_token=self._mask_token)
            terms += _TERMS[part.mode](model, rows, self._weights)
        return Losses(terms=tuple(terms))


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


def _joint(model: Vilt, rows: _Rows, weights: MaskedWeights) -> list[Term]:
    encoded = rows.encode(model)
    text = _text_term(model, rows, encoded)
    image = _image_term(model, rows, encoded, normalised(rows.patches_RNP))
    return [
        Term(name="joint_text", value=text, weight=weights.joint_text),
        Term(name="joint_image", value=image, weight=weights.joint_image),
    ]


def _text_hidden(model: Vilt, rows: _Rows, weights: MaskedWeights) -> list[Term]:
    encoded = rows.encode(model)
    assert encoded.text_RLD is not None
    wanted_RV = bags(rows.tokens_RL, rows.real_RL, model.bag_head.idf_V)
    bag = bag_loss(model.bag_head(encoded.text_RLD[:, 0]), wanted_RV)
    text = _text_term(model, rows, encoded)
    return [
        Term(name="hidden_text", value=text, weight=weights.hidden_text),
        Term(name="hidden_text_bow", value=bag, weight=weights.hidden_text_bow),
    ]


def _image_hidden(model: Vilt, rows: _Rows, weights: MaskedWeights) -> list[Term]:
    encoded = rows.encode(model)
    # Plain pixels: a text tells brightness and layout, which normalising each patch would take away.
    image = _image_term(model, rows, encoded, rows.patches_RNP)
    text = _text_term(model, rows, encoded)
    return [
        Term(name="hidden_image", value=image, weight=weights.hidden_image),
        Term(name="hidden_image_text", value=text, weight=weights.hidden_image_text),
    ]


def _text_only(model: Vilt, rows: _Rows, weights: MaskedWeights) -> list[Term]:
    text = _text_term(model, rows, rows.encode(model))
    return [Term(name="lone_text", value=text, weight=weights.lone_text)]


def _image_only(model: Vilt, rows: _Rows, weights: MaskedWeights) -> list[Term]:
    image = _image_term(model, rows, rows.encode(model), normalised(rows.patches_RNP))
    return [Term(name="lone_image", value=image, weight=weights.lone_image)]


_TERMS: dict[Mode, Callable[[Vilt, _Rows, MaskedWeights], list[Term]]] = {
    Mode.JOINT: _joint,
    Mode.TEXT_HIDDEN: _text_hidden,
    Mode.IMAGE_HIDDEN: _image_hidden,
    Mode.TEXT_ONLY: _text_only,
    Mode.IMAGE_ONLY: _image_only,
}


def _text_term(model: Vilt, rows: _Rows, encoded: Encoded) -> Tensor:
    """The vocabulary is wide: its head is run at hidden slots only, as many a row as can be hidden in this mode."""
    assert encoded.text_RLD is not None and rows.plan.hidden_RL is not None
    counted_RL = rows.plan.hidden_RL & rows.real_RL  # a hidden caption's padding is no target
    slots_RH = counted_RL.int().argsort(dim=1, descending=True, stable=True)[:, : rows.plan.text_budget]
    logits_RHV = model.token_logits(gather_rows(encoded.text_RLD, slots_RH))
    return piece_loss(logits_RHV, rows.tokens_RL.gather(1, slots_RH), counted_RL.gather(1, slots_RH))


def _image_term(model: Vilt, rows: _Rows, encoded: Encoded, wanted_RNP: Tensor) -> Tensor:
    assert rows.plan.hidden_RM is not None
    rebuilt_RMP = model.rebuild(encoded, rows.plan.hidden_RM)
    return patch_loss(rebuilt_RMP, gather_rows(wanted_RNP, rows.plan.hidden_RM))
