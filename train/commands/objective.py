"""What a run learns, put together from its settings."""

import logging
from typing import Any

from train.commands.request import Rows
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.objectives.base import Objective
from train.objectives.masks import without_rows
from train.objectives.pretraining import Pretraining

logger = logging.getLogger(__name__)


def make_objective(settings: TrainConfig, tokenizer: Tokenizer, rows: Rows) -> Objective[Any]:
    """The sum of all that is to be learnt from micro batches of `rows`."""
    config = settings.objective
    patches = (settings.data.image_size // settings.model.patch) ** 2
    if missing := without_rows(config, rows.pairs, rows.lone):
        logger.warning(
            "%d pairs a process and micro batch (data.batch_size=%d) are too few for the shares of %s: "
            "no row is used so, and their losses are missing.",
            rows.pairs,
            settings.data.batch_size,
            ", ".join(missing),
        )
    return Pretraining(config, mask_token=tokenizer.mask, patches=patches)
