"""What a stage is: it takes a video's folder and returns one new record. It neither saves nor retries."""

import hashlib
import json
from typing import ClassVar, Protocol

from configs import Config
from harvest.folder import VideoFolder
from harvest.records import Record


class Stage(Protocol):
    """One step of a video's road.

    Instances are made in the driver and travel to the workers before `setup`, so they must be small and picklable.
    """

    name: ClassVar[str]
    record: ClassVar[type[Record]]  # the kind of record `run` returns
    after: ClassVar[tuple[str, ...]]  # names of the stages whose records it reads

    def fingerprint(self, upstream: str) -> str:
        """Changes when a setting that shapes the record changes, or `upstream`, the fingerprint it builds on."""
        ...

    def setup(self) -> None:
        """Called once in each worker, before the first `run`: the place to load a model."""
        ...

    def run(self, folder: VideoFolder) -> Record:
        """Make the record of one video. Raises StageError when the video cannot pass."""
        ...

    @property
    def timeout_s(self) -> float:
        """Wall-clock seconds after which a run on one video is given up."""
        ...


def fingerprint(version: int, config: Config, upstream: str, *, ignore: frozenset[str] = frozenset()) -> str:
    """16 hex digits over a stage's `version`, its settings but those in `ignore`, and what it builds on."""
    settings = {name: value for name, value in config.model_dump(mode="json").items() if name not in ignore}
    canonical = json.dumps([version, settings, upstream], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
