"""Which passes through the model one step takes by the settings: what `train plan` counts before anything is run.

The shapes are asked of the objectives themselves, which draw them for a blank batch.
"""

from collections.abc import Sequence

import torch

from train.batch import Batch
from train.models.cost import Geometry, Pass
from train.objectives.config import ObjectiveConfig
from train.objectives.contrastive import ShownPatches
from train.objectives.masked import Goal, Rebuilt, goals
from train.objectives.masks import Lone, ModePlan
from train.objectives.pretraining import Pretraining


def step_passes(config: ObjectiveConfig, geometry: Geometry, *, rows: int, lone: Lone = (0, 0)) -> tuple[Pass, ...]:
    """Of a batch of `rows` pairs in one process, and `lone` rows beside them."""
    batch = blank_batch(geometry, rows, lone)
    pretraining = Pretraining(config, mask_token=0, patches=geometry.patches)
    drawn = pretraining.draw(batch, torch.Generator().manual_seed(0))
    wanted = goals(config.weights)
    passes = [_mode_pass(mode, wanted[mode.mode]) for mode in drawn.masked.modes if wanted[mode.mode]]
    if drawn.contrast is not None:
        passes += _contrast_passes(geometry, drawn.contrast, rows=rows)
    if drawn.matching is not None:
        passes.append(_matching_pass(geometry, drawn.matching.shown, rows=rows))
    # A further objective that reads the batch adds its passes here.
    return tuple(passes)


def _mode_pass(plan: ModePlan, wanted: Sequence[Goal]) -> Pass:
    rebuilt = {goal.rebuilt for goal in wanted}
    hidden = 0 if plan.hidden_RM is None else plan.hidden_RM.shape[1]
    return Pass(
        name=plan.mode.value,
        rows=len(plan.rows_R),
        text=0 if plan.hidden_RL is None else plan.hidden_RL.shape[1],
        image=plan.shown_RK is not None,
        shown=0 if plan.shown_RK is None else plan.shown_RK.shape[1],
        pieces=len(plan.pieces.slots_H) / len(plan.rows_R) if plan.pieces and Rebuilt.PIECES in rebuilt else 0,
        bag=Rebuilt.BAG in rebuilt,
        rebuilt=hidden if Rebuilt.PATCHES in rebuilt else 0,
    )


def _contrast_passes(geometry: Geometry, drawn: ShownPatches, *, rows: int) -> list[Pass]:
    shown = _shown(geometry, drawn)
    return [
        Pass(name="contrast_image", rows=rows, image=True, shown=shown, shared=1, contrasted=rows),
        Pass(name="contrast_text", rows=rows, text=geometry.text_length, shared=1),  # compared in the other's pass
    ]


def _matching_pass(geometry: Geometry, drawn: ShownPatches, *, rows: int) -> Pass:
    """Each pair and two negatives of it. The head, two products of a width at one slot a row, is not counted."""
    return Pass(name="matching", rows=3 * rows, text=geometry.text_length, image=True, shown=_shown(geometry, drawn))


def _shown(geometry: Geometry, drawn: ShownPatches) -> int:
    return geometry.patches if drawn.places_BK is None else drawn.places_BK.shape[1]


def blank_batch(geometry: Geometry, pairs: int, lone: Lone = (0, 0)) -> Batch:
    """Full captions and no pixels: only shapes are looked at."""
    size, length, rows = geometry.image_size, geometry.text_length, pairs + sum(lone)
    real_BL = torch.ones(rows, length, dtype=torch.bool)
    begins_BL = real_BL.clone()
    begins_BL[:, 0] = False
    return Batch(
        images_BCSS=torch.zeros(1, dtype=torch.uint8).expand(rows, 3, size, size),
        tokens_BL=torch.zeros(rows, length, dtype=torch.int64),
        real_BL=real_BL,
        begins_BL=begins_BL,
        videos_B=torch.arange(rows),
        align_B=torch.full((rows,), -1.0),
        captions=("",) * rows,
        keys=("",) * rows,
        after=(),
        lone_texts=lone[0],
        lone_images=lone[1],
    )
