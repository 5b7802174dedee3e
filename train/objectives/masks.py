"""What is hidden from the model: the mask plan, drawn anew for every batch from an explicit generator.

    mode          share   the encoder sees                                  it must rebuild
    joint          .50    1 - r_v of the patches, text with r_t hidden      what is hidden of both
    text_hidden    .20    all patches, every text slot [MASK]               the caption, from the image alone
    image_hidden   .20    text with little hidden, no patch at all          the image, from the text alone
    text_only      .05    text with some hidden                             its hidden pieces
    image_only     .05    1 - r_v of the patches                            its hidden patches

Pairs are dealt to modes by quota in random order, so every batch holds the same modes and all shapes stay the same
from step to step. In a batch too small for its share of a row a mode gets none, ever: `without_rows` names those.
Rows of a text without an image, or of an image without a text, join the pairs that are used so. No mode hides both
modalities. `alternate` says which modality may be hidden as a whole; where it may not, its share of pairs is joint.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from torch import Tensor

from configs.loading import Config
from train.objectives.pieces import HiddenPieces, hide_pieces, hide_words
from train.quotas import quotas

Lone = tuple[int, int]  # rows that are texts without an image, and rows that are images without a text


class Mode(StrEnum):
    """What a row of the batch is used for."""

    JOINT = "joint"
    TEXT_HIDDEN = "text_hidden"
    IMAGE_HIDDEN = "image_hidden"
    TEXT_ONLY = "text_only"
    IMAGE_ONLY = "image_only"


class ModeShares(Config):
    """Share of a batch's pairs in each mode; `unpaired` is halved between text only and image only."""

    joint: float = Field(0.5, ge=0)
    text_hidden: float = Field(0.2, ge=0)
    image_hidden: float = Field(0.2, ge=0)
    unpaired: float = Field(0.1, ge=0)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "ModeShares":
        if abs(self.joint + self.text_hidden + self.image_hidden + self.unpaired - 1) > 1e-6:
            raise ValueError("the shares of the modes must sum to 1")
        return self


def _word(value: object) -> object:
    """YAML reads a bare `off` as False."""
    if isinstance(value, bool):
        return "both" if value else "off"
    return value


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= bounds[0] <= bounds[1] <= 1:
        raise ValueError("give a lower and an upper bound between 0 and 1")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ordered)]


class MaskConfig(Config):
    """Settings of the draw."""

    # Which modality is hidden as a whole in its share of the pairs; off: every pair is joint, none is unpaired either.
    alternate: Annotated[Literal["off", "text", "image", "both"], BeforeValidator(_word)] = "both"
    shares: ModeShares = ModeShares()
    text_ratio: Bounds = (0.3, 0.75)  # r_t is drawn evenly between these, a row
    image_ratio: float = Field(0.75, gt=0, lt=1)  # r_v
    seen_text_ratio: Bounds = (0.0, 0.15)  # of the text an image is rebuilt from
    lone_text_ratio: Bounds = (0.15, 0.5)  # of text without an image
    whole_words: bool = False  # hide all pieces of a word or none


@dataclass(frozen=True, slots=True, kw_only=True)
class ModePlan:
    """What is hidden in the rows of one mode. None for a modality the rows do not have."""

    mode: Mode
    rows_R: Tensor  # places in the batch
    hidden_RL: Tensor | None  # True: the piece is replaced by [MASK]
    pieces: HiddenPieces | None
    shown_RK: Tensor | None  # places of the patches the encoder sees
    hidden_RM: Tensor | None  # places of those it must rebuild

    def to(self, device: torch.device) -> "ModePlan":
        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return replace(
            self,
            rows_R=self.rows_R.to(device, non_blocking=True),
            hidden_RL=moved(self.hidden_RL),
            pieces=None if self.pieces is None else self.pieces.to(device),
            shown_RK=moved(self.shown_RK),
            hidden_RM=moved(self.hidden_RM),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPlan:
    """What is hidden in one batch, a mode after the other."""

    modes: tuple[ModePlan, ...]

    def to(self, device: torch.device) -> "MaskPlan":
        return MaskPlan(modes=tuple(mode.to(device) for mode in self.modes))


def draw_plan(
    config: MaskConfig,
    real_BL: Tensor,
    *,
    patches: int,
    generator: torch.Generator,
    begins_BL: Tensor | None = None,
    lone: Lone = (0, 0),
) -> MaskPlan:
    """The plan of one batch, whose last rows are `lone`.

    `real_BL` is True at the captions' pieces; slot 0 is [CLS] and is never chosen. `begins_BL` is True where a piece
    begins a word; without it each piece is taken for a word.
    """
    begins_BL = real_BL if begins_BL is None else begins_BL
    draw = _Draw(config=config, patches=patches, generator=generator)
    dealt = _deal(config, len(real_BL) - sum(lone), lone, generator)
    return MaskPlan(modes=tuple(draw.mode(mode, rows_R, real_BL, begins_BL) for mode, rows_R in dealt))


def row_counts(config: MaskConfig, pairs: int, lone: Lone = (0, 0)) -> dict[Mode, int]:
    """How many rows each mode gets of a batch of `pairs` and the rows that are `lone`."""
    shares = _shares(config)
    counts = dict(zip(shares, quotas([*shares.values()], pairs), strict=True))
    counts[Mode.TEXT_ONLY] += lone[0]
    counts[Mode.IMAGE_ONLY] += lone[1]
    return counts


def without_rows(config: MaskConfig, pairs: int, lone: Lone = (0, 0)) -> list[Mode]:
    """The modes that have a share of the pairs but get no row of such a batch."""
    shares = _shares(config)
    return [mode for mode, count in row_counts(config, pairs, lone).items() if pairs and shares[mode] and not count]


def _shares(config: MaskConfig) -> dict[Mode, float]:
    shares, alternate = config.shares, config.alternate
    given = {
        Mode.JOINT: shares.joint,
        Mode.TEXT_HIDDEN: shares.text_hidden,
        Mode.IMAGE_HIDDEN: shares.image_hidden,
        Mode.TEXT_ONLY: shares.unpaired / 2,
        Mode.IMAGE_ONLY: shares.unpaired / 2,
    }
    for mode in _NOT_IN[alternate]:
        given[Mode.JOINT] += given[mode]
        given[mode] = 0.0
    return given


_NOT_IN: dict[str, tuple[Mode, ...]] = {
    "off": (Mode.TEXT_HIDDEN, Mode.IMAGE_HIDDEN, Mode.TEXT_ONLY, Mode.IMAGE_ONLY),
    "text": (Mode.IMAGE_HIDDEN,),
    "image": (Mode.TEXT_HIDDEN,),
    "both": (),
}


def _deal(config: MaskConfig, pairs: int, lone: Lone, generator: torch.Generator) -> Iterator[tuple[Mode, Tensor]]:
    """The modes that have rows in this batch, each with its rows."""
    order = torch.randperm(pairs, generator=generator)
    rows = torch.arange(pairs + sum(lone))
    added = {Mode.TEXT_ONLY: rows[pairs : pairs + lone[0]], Mode.IMAGE_ONLY: rows[pairs + lone[0] :]}
    start = 0
    for mode, count in row_counts(config, pairs).items():
        rows_R = torch.cat([order[start : start + count], added.get(mode, rows[:0])])
        if len(rows_R):
            yield mode, rows_R
        start += count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One batch's draw."""

    config: MaskConfig
    patches: int
    generator: torch.Generator

    def mode(self, mode: Mode, rows_R: Tensor, real_BL: Tensor, begins_BL: Tensor) -> ModePlan:
        real_RL = real_BL[rows_R]
        hidden_RL = self._text(mode, real_RL, begins_BL[rows_R])
        shown_RK, hidden_RM = self._image(mode, len(rows_R))
        return ModePlan(
            mode=mode,
            rows_R=rows_R,
            hidden_RL=hidden_RL,
            pieces=None if hidden_RL is None else self._pieces(mode, hidden_RL & real_RL),  # padding is no target
            shown_RK=shown_RK,
            hidden_RM=hidden_RM,
        )

    def _text(self, mode: Mode, real_RL: Tensor, begins_RL: Tensor) -> Tensor | None:
        if mode is Mode.IMAGE_ONLY:
            return None
        if mode is Mode.TEXT_HIDDEN:
            hidden_RL = torch.ones_like(real_RL)  # padding too: else it would tell the caption's length
            hidden_RL[:, 0] = False
            return hidden_RL
        at_least = 0 if mode is Mode.IMAGE_HIDDEN else 1
        return self._some(real_RL, begins_RL, self._ratio(mode), at_least=at_least)

    def _pieces(self, mode: Mode, wanted_RL: Tensor) -> HiddenPieces:
        """With room for all that can be hidden where all captions are long; whole words may exceed it by a few."""
        rows, length = wanted_RL.shape
        low, high = self._ratio(mode)
        most = low + (high - low) * (rows + 1) / (2 * rows)  # in the mean over the rows: see _even
        room = min(1.0, most) * rows * (length - 1) + rows / 2  # each row is rounded
        return HiddenPieces.at(wanted_RL, room=min(math.ceil(room), rows * (length - 1)))

    def _ratio(self, mode: Mode) -> tuple[float, float]:
        """Between which shares of its pieces are hidden of a row."""
        match mode:
            case Mode.JOINT:
                return self.config.text_ratio
            case Mode.TEXT_ONLY:
                return self.config.lone_text_ratio
            case Mode.IMAGE_HIDDEN:
                return self.config.seen_text_ratio
            case Mode.TEXT_HIDDEN | Mode.IMAGE_ONLY:
                return 1.0, 1.0

    def _some(self, real_RL: Tensor, begins_RL: Tensor, ratio: tuple[float, float], *, at_least: int) -> Tensor:
        """Hide a share of each row's pieces, drawn evenly from `ratio`."""
        wanted_R = self._even(len(real_RL), *ratio) * real_RL[:, 1:].sum(dim=1)
        if self.config.whole_words:
            return hide_words(real_RL, begins_RL, wanted_R, at_least=at_least, generator=self.generator)
        return hide_pieces(real_RL, wanted_R, at_least=at_least, generator=self.generator)

    def _even(self, rows: int, low: float, high: float) -> Tensor:
        """Each number is as likely as any other, but together they are spread out: each step hides about as much."""
        place_R = torch.randperm(rows, generator=self.generator) + torch.rand(rows, generator=self.generator)
        return low + (high - low) * place_R / rows

    def _image(self, mode: Mode, rows: int) -> tuple[Tensor | None, Tensor | None]:
        order_RN = torch.rand(rows, self.patches, generator=self.generator).argsort(dim=1)
        match mode:
            case Mode.TEXT_ONLY:
                return None, None
            case Mode.TEXT_HIDDEN:
                return order_RN, None
            case Mode.IMAGE_HIDDEN:
                return None, order_RN
            case Mode.JOINT | Mode.IMAGE_ONLY:
                hidden = min(max(1, round(self.config.image_ratio * self.patches)), self.patches - 1)
                return order_RN[:, hidden:], order_RN[:, :hidden]
