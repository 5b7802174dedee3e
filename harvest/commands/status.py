"""`harvest status`: how far every video of a work folder has come, and why some have not."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harvest.errors import RequestError
from harvest.folder import FILES
from harvest.ledger import LEDGER_NAME, Failure, Ledger
from harvest.records import VideoRef
from harvest.stages.download import Download
from harvest.stages.scenes import FindScenes
from harvest.stages.transcribe import Transcribe

STAGE_FILES = {stage.name: FILES[stage.record] for stage in (Download, Transcribe, FindScenes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a work folder."""

    videos: int  # with a folder of their own
    finished: int  # with every record
    done_by_stage: dict[str, int]
    seconds_by_stage: dict[str, float]  # wall-clock, all attempts
    failures: tuple[Failure, ...]


def status(work: Path) -> Status:
    """Look at a work folder. Raises RequestError if `work` is not one."""
    if not (work / LEDGER_NAME).is_file():
        raise RequestError(f"{work} is not a work folder: 'harvest collect --work {work}' makes one.")
    done: Counter[str] = Counter()
    videos = finished = 0
    for folder in work.iterdir():
        if not (folder / FILES[VideoRef]).is_file():
            continue
        videos += 1
        stages = [stage for stage, file in STAGE_FILES.items() if (folder / file).is_file()]
        done.update(stages)
        finished += len(stages) == len(STAGE_FILES)
    with Ledger(work) as ledger:
        return Status(
            videos=videos,
            finished=finished,
            done_by_stage={stage: done[stage] for stage in STAGE_FILES},
            seconds_by_stage=ledger.seconds_by_stage(),
            failures=tuple(ledger.failures()),
        )
