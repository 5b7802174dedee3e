"""What a run learns, put together from its settings."""

import logging
from typing import Any

from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.objectives.base import Objective
from train.objectives.masks import without_rows
from train.objectives.pretraining import Pretraining
from train.rows import Rows

logger = logging.getLogger(__name__)


def make_objective(settings: TrainConfig, tokenizer: Tokenizer) -> Objective[Any]:
    """The sum of all that is to be learnt."""
    patches = (settings.data.image_size // settings.model.patch) ** 2
    return Pretraining(settings.objective, mask_token=tokenizer.mask, patches=patches)


def tell_of_missing_modes(settings: TrainConfig, rows: Rows) -> None:
    """A warning where a mode has a share of the pairs, but no row of micro batches of `rows`."""
    if missing := without_rows(settings.objective, rows.pairs, rows.lone):
        logger.warning(
            "%d pairs a process and micro batch (data.batch_size=%d) are too few for the shares of %s: "
            "no row is used so, and their losses are missing.",
            rows.pairs,
            settings.data.batch_size,
            ", ".join(missing),
        )
