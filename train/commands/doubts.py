"""Settings that are allowed, but hardly meant: told before the first step."""

import logging
from collections.abc import Iterator

from train.checkpoint import Checkpoint
from train.commands.assembly import settings_of
from train.commands.request import Request
from train.config import TrainConfig
from train.optim import learning_rate

logger = logging.getLogger(__name__)


def tell_doubts(request: Request) -> None:
    """A warning for each."""
    for doubt in _doubts(request):
        logger.warning(doubt)


def _doubts(request: Request) -> Iterator[str]:
    config = request.config
    if config.optim.warmup_steps >= config.trainer.steps:
        yield (
            f"optim.warmup_steps={config.optim.warmup_steps} are not fewer than trainer.steps={config.trainer.steps}, "
            "so the learning rate only rises: choose fewer."
        )
    if request.resumed:
        yield from _jump(config, request.resumed)


def _jump(config: TrainConfig, resumed: Checkpoint) -> Iterator[str]:
    """Where another number of steps changes the rate of the next one at once."""
    stored, state = settings_of(resumed), resumed.state
    before, now = (
        learning_rate(config.optim, state.step, steps=steps, reduced=state.plateau.reduced)
        for steps in (stored.trainer.steps, config.trainer.steps)
    )
    if before != now:
        yield (
            f"With trainer.steps={config.trainer.steps} instead of {stored.trainer.steps} the learning rate after step "
            f"{state.step} is {now:.3g} instead of {before:.3g}: only optim.schedule.kind=constant, before its "
            "cooldown, and plateau do not hang on the number of steps."
        )
