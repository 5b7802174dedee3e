"""What a model makes of a few pairs: of both with much hidden, of the text alone, of the image alone.

The masks are drawn from a seed of their own, so all sheets of a run hide the same.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train.batch import Batch
from train.data.tokenizer import Tokenizer
from train.models.embeddings import TextInput, gather_rows, shown_patches, whole_image
from train.models.vilt import Vilt
from train.objectives.config import ObjectiveConfig
from train.objectives.masks import Mode, ModePlan, draw_plan, row_counts
from train.sheet.pixels import as_images, greyed, with_contrast_of, with_patches
from train.sheet.records import Guess, Piece, Word
from train.sheet.words import likeliest_words, pieces_with_guesses

PAIRS = 6
SEED = 0
MANY = 1000  # rows: enough that every mode with a share has some


@torch.no_grad()
def guesses(model: Vilt, batch: Batch, *, tokenizer: Tokenizer, config: ObjectiveConfig) -> tuple[Guess, ...]:
    """One for each of the batch's first pairs, in evaluation mode; then `model` is in the mode it was in."""
    count = min(PAIRS, batch.pairs)
    if not count:
        return ()
    training = model.training
    model.eval()
    try:
        return _Sheet(model=model, tokenizer=tokenizer, config=config).of(_Pairs.first(count, batch, model))
    finally:
        model.train(training)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """The pairs of a sheet, on the model's device."""

    tokens_RL: Tensor
    real_RL: Tensor
    begins_RL: Tensor
    patches_RNP: Tensor

    @classmethod
    def first(cls, count: int, batch: Batch, model: Vilt) -> "_Pairs":
        device = model.log_scale.device
        tokens_RL, real_RL, begins_RL, images_RCSS = (
            tensor[:count].to(device) for tensor in (batch.tokens_BL, batch.real_BL, batch.begins_BL, batch.images_BCSS)
        )
        patches_RNP = model.patchify(images_RCSS)
        return cls(tokens_RL=tokens_RL, real_RL=real_RL, begins_RL=begins_RL, patches_RNP=patches_RNP)

    def caption(self, row: int) -> list[int]:
        """Without [CLS] and padding."""
        ids: list[int] = self.tokens_RL[row][self.real_RL[row]].tolist()
        return ids[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """Who is asked, and what it was taught."""

    model: Vilt
    tokenizer: Tokenizer
    config: ObjectiveConfig

    def of(self, pairs: _Pairs) -> tuple[Guess, ...]:
        plan = self._plan(pairs)
        assert plan.hidden_RL is not None and plan.hidden_RM is not None
        guessed_RL, rebuilt_RNP = self._from_both(pairs, plan)
        patch, rows = self.model.patch, range(len(pairs.tokens_RL))
        originals, seen, rebuilt = (
            as_images(patches_RNP, patch)
            for patches_RNP in (pairs.patches_RNP, greyed(pairs.patches_RNP, plan.hidden_RM), rebuilt_RNP)
        )
        from_text = (
            as_images(self._from_text(pairs), patch) if self._taught(Mode.IMAGE_HIDDEN) else [None for _ in rows]
        )
        from_image = self._from_image(pairs) if self._taught(Mode.TEXT_HIDDEN) else [None for _ in rows]
        return tuple(
            Guess(
                original=originals[row],
                seen=seen[row],
                rebuilt=rebuilt[row],
                caption=self._caption(pairs, plan.hidden_RL[row], guessed_RL[row], row),
                from_text=from_text[row],
                from_image=from_image[row],
            )
            for row in rows
        )

    def _taught(self, mode: Mode) -> bool:
        weights = self.config.weights
        weight = {Mode.IMAGE_HIDDEN: weights.hidden_image, Mode.TEXT_HIDDEN: weights.hidden_text_bow}[mode]
        return weight > 0 and row_counts(self.config, MANY)[mode] > 0

    def _plan(self, pairs: _Pairs) -> ModePlan:
        """Much of both hidden, as in joint rows."""
        (plan,) = draw_plan(
            self.config.model_copy(update={"alternate": "off"}),
            pairs.real_RL.cpu(),
            patches=self.model.patches,
            generator=torch.Generator().manual_seed(SEED),
            begins_BL=pairs.begins_RL.cpu(),
        ).modes
        return _in_order(plan).to(pairs.tokens_RL.device)

    def _from_both(self, pairs: _Pairs, plan: ModePlan) -> tuple[Tensor, Tensor]:
        """The likeliest piece of every slot, and the images with what was hidden rebuilt."""
        assert plan.hidden_RL is not None and plan.hidden_RM is not None and plan.shown_RK is not None
        masked_RL = pairs.tokens_RL.masked_fill(plan.hidden_RL, self.tokenizer.mask)
        text = TextInput(tokens_RL=masked_RL, real_RL=pairs.real_RL)
        encoded = self.model.encode(text, shown_patches(pairs.patches_RNP, plan.shown_RK))
        assert encoded.text_RLD is not None
        originals_RMP = gather_rows(pairs.patches_RNP, plan.hidden_RM)
        rebuilt_RMP = with_contrast_of(self.model.rebuild(encoded, plan.hidden_RM), originals_RMP)
        guessed_RL = self.model.token_logits(encoded.text_RLD).argmax(dim=-1)
        return guessed_RL, with_patches(pairs.patches_RNP, plan.hidden_RM, rebuilt_RMP)

    def _from_text(self, pairs: _Pairs) -> Tensor:
        encoded = self.model.encode(TextInput(tokens_RL=pairs.tokens_RL, real_RL=pairs.real_RL), None)
        return self.model.rebuild(encoded, whole_image(pairs.patches_RNP).places_RK)

    def _from_image(self, pairs: _Pairs) -> list[tuple[Word, ...]]:
        masked_RL = pairs.tokens_RL.clone()
        masked_RL[:, 1:] = self.tokenizer.mask  # slot 0 is [CLS]
        encoded = self.model.encode(TextInput(tokens_RL=masked_RL, real_RL=None), whole_image(pairs.patches_RNP))
        assert encoded.text_RLD is not None
        bags_RV = self.model.bag_head(encoded.text_RLD[:, 0])
        return [likeliest_words(bag_V, pairs.caption(row), self.tokenizer) for row, bag_V in enumerate(bags_RV)]

    def _caption(self, pairs: _Pairs, hidden_L: Tensor, guessed_L: Tensor, row: int) -> tuple[Piece, ...]:
        caption = pairs.caption(row)
        hidden, guessed = hidden_L.tolist()[1:], guessed_L.tolist()[1:]
        return pieces_with_guesses(caption, hidden, guessed, self.tokenizer)


def _in_order(plan: ModePlan) -> ModePlan:
    """The plan of all rows of a batch, with its rows as they are in the batch."""
    assert plan.hidden_RL is not None and plan.hidden_RM is not None and plan.shown_RK is not None
    order_R = plan.rows_R.argsort()
    return replace(
        plan,
        rows_R=plan.rows_R[order_R],
        hidden_RL=plan.hidden_RL[order_R],
        shown_RK=plan.shown_RK[order_R],
        hidden_RM=plan.hidden_RM[order_R],
    )
