"""What the words of `train pretrain` come to: a new run, one to go on with, or with --resume whichever it is by now.

A job that is stopped and queued again and again may thus give the same words each time. --resume with an --out that
holds no checkpoint yet (missing, empty, or of a run that was stopped before its first) starts the run there; with a
checkpoint it goes on, and --shards, --config and --set may be repeated as far as they fit the run. What is left out is
as the run was begun.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.loading import load
from train import runs
from train.commands.request import Request, new_request, resume_request, resumed_settings
from train.config import TrainConfig
from train.errors import RequestError

logger = logging.getLogger(__name__)

DEFAULT_CONFIG = "tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as they were given."""

    shards: Sequence[str] = ()
    out: Path | None = None
    config: str | None = None
    changes: Sequence[str] = ()
    resume: bool = False
    step: int | None = None

    def settings(self) -> TrainConfig:
        """Those it would train with."""
        if self._goes_on():
            return resumed_settings(self.out, self.changes, config=self.config, step=self.step)
        begun = runs.settings_left(self.out) if self.out and self.resume else None
        return load(TrainConfig, self.config or begun or DEFAULT_CONFIG, self.changes)

    def request(self) -> Request:
        """Raises RequestError, ConfigError or ShardsError where it cannot be met."""
        if self._goes_on():
            return resume_request(self.shards, self.out, self.changes, config=self.config, step=self.step)
        if self.resume:
            logger.info("%s holds no checkpoint yet, so the run starts there from the beginning.", self.out)
        begun = runs.sets_left(self.out) if self.out and self.resume else ()
        return new_request(self.shards or begun, self.out, self.settings(), again=self.resume)

    def _goes_on(self) -> bool:
        if self.step is not None and not self.resume:
            raise RequestError("--step chooses the checkpoint to go on from: give --resume with it.")
        if not self.resume or self.step is not None or self.out is None:
            return self.resume
        return runs.is_checkpoint(self.out) or runs.has_checkpoint(self.out)
