"""What a stage is: it takes a video's folder and returns one new record. It neither saves nor retries."""

import hashlib
import json
from typing import ClassVar, Literal, Protocol

from configs import Config
from harvest.folder import VideoFolder
from harvest.records import Record

Resource = Literal["network", "cpu", "gpu"]


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
    def needs(self) -> Resource:
        """What it mostly uses, which decides how many workers it gets."""
        ...

    @property
    def timeout_s(self) -> float:
        """Wall-clock seconds after which a run on one video is given up."""
        ...


def fingerprint(version: int, config: Config, upstream: str, *, ignore: frozenset[str] = frozenset()) -> str:
    """What a record is made from, and how: 8 hex digits over `upstream`, then 16 over that, the stage's `version`
    and its settings but those in `ignore`."""
    settings = {name: value for name, value in config.model_dump(mode="json").items() if name not in ignore}
    return f"{_digest(upstream)[:8]}-{_digest([version, settings, upstream])[:16]}"


def builds_on(made: str, upstream: str) -> bool:
    """Whether the record of fingerprint `made` was made from the one of fingerprint `upstream`."""
    return made.partition("-")[0] == _digest(upstream)[:8]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
