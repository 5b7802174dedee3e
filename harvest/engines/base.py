"""What runs stages over videos. Only ids travel: threads, processes and clusters look alike from here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harvest.errors import Reason
from harvest.stages.base import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done for one video."""

    video_id: str
    fingerprints: Mapping[str, str]  # of the stages to run, by name; others are done already


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one stage of one video. `reason` is None when it went well."""

    video_id: str
    stage: str
    fingerprint: str
    reason: Reason | None = None
    message: str = ""
    details: str = ""  # a traceback, for errors nobody has foreseen
    seconds: float = field(default=0.0, compare=False)


class Engine(Protocol):
    """Runs each task's stages, a stage after those it depends on; independent ones side by side."""

    def run(self, stages: Sequence[Stage], tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Yield an outcome for every stage tried, as they end.

        A failed stage ends its video's road: what depends on it is not tried. Raises HarvestError when no video
        could be worked on, such as a model that cannot be loaded.
        """
        ...
