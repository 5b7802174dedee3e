"""Which passes through the model one step takes by the settings: what `train plan` counts before anything is run.

The shapes are asked of the objectives themselves, which draw them for a blank batch.
"""

import torch

from train.batch import Batch
from train.models.cost import Geometry, Pass
from train.objectives.config import ObjectiveConfig
from train.objectives.contrastive import Contrastive
from train.objectives.masked import MaskedModeling
from train.objectives.masks import Mode, ModePlan


def step_passes(config: ObjectiveConfig, geometry: Geometry, *, rows: int) -> tuple[Pass, ...]:
    """Of a batch of `rows` pairs in one process."""
    batch = _blank_batch(geometry, rows)
    masked = MaskedModeling(config, config.weights, mask_token=0, patches=geometry.patches)
    plan = masked.draw(batch, torch.Generator().manual_seed(0))
    passes = [_mode_pass(mode) for mode in plan.modes]
    if config.contrastive.weight:
        passes += _contrast_passes(config, geometry, batch)
    # A further objective that reads the batch adds its passes here.
    return tuple(passes)


def _mode_pass(plan: ModePlan) -> Pass:
    return Pass(
        name=plan.mode.value,
        rows=len(plan.rows_R),
        text=0 if plan.hidden_RL is None else plan.hidden_RL.shape[1],
        image=plan.shown_RK is not None,
        shown=0 if plan.shown_RK is None else plan.shown_RK.shape[1],
        pieces=plan.text_budget,
        bag=plan.mode is Mode.TEXT_HIDDEN,
        rebuilt=0 if plan.hidden_RM is None else plan.hidden_RM.shape[1],
    )


def _contrast_passes(config: ObjectiveConfig, geometry: Geometry, batch: Batch) -> list[Pass]:
    contrast = Contrastive(config.contrastive, patches=geometry.patches)
    places_BK = contrast.draw(batch, torch.Generator().manual_seed(0)).places_BK
    rows, shown = len(batch.videos_B), geometry.patches if places_BK is None else places_BK.shape[1]
    return [
        Pass(name="contrast_image", rows=rows, image=True, shown=shown, shared=1, contrasted=rows),
        Pass(name="contrast_text", rows=rows, text=geometry.text_length, shared=1),  # compared in the other's pass
    ]


def _blank_batch(geometry: Geometry, rows: int) -> Batch:
    """Full captions and no pixels: only shapes are looked at."""
    size, length = geometry.image_size, geometry.text_length
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
    )
