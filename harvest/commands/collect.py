"""`harvest collect`: from a playlist to finished folders.

playlist -> VideoRef -> what is still to do? (folder) -> may it be tried? (ledger) -> engine -> journal
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harvest.config import HarvestConfig
from harvest.engines import Engine, LocalEngine, Outcome, Task
from harvest.errors import RETRYABLE, Reason, RequestError
from harvest.folder import BrokenRecord, VideoFolder
from harvest.ledger import SOURCE_STAGE, Failure, Ledger
from harvest.records import Video, VideoRef
from harvest.sources import SourceFailure, expand
from harvest.stages.base import Stage
from harvest.stages.download import Download, media_path
from harvest.stages.scenes import FindScenes
from harvest.stages.transcribe import Transcribe

LOCK_NAME = "collect.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRequest:
    """What a person asked for."""

    playlist: str
    work: Path
    config: HarvestConfig
    only: str = ""  # the name of one stage to run; "" for all
    retry: frozenset[Reason] = frozenset()  # reasons to try again though they rarely pass


@dataclass(slots=True)
class CollectReport:
    """What became of the playlist."""

    videos: int = 0
    done_before: int = 0  # videos for which there was nothing to do
    not_ready: int = 0  # videos that lack what the one stage asked for reads
    done_now: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)  # by video id


class CollectView(Protocol):
    """Who is shown the work as it goes on."""

    def planned(self, stage: str) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...


def collect(request: CollectRequest, view: CollectView) -> CollectReport:
    """Bring every video of the playlist as far as it will go. Raises HarvestError if nothing can be begun."""
    stages = build_stages(request.config)
    if request.only and request.only not in {stage.name for stage in stages}:
        names = ", ".join(stage.name for stage in stages)
        raise RequestError(f"There is no stage {request.only!r}: choose one of {names}.")
    with _alone_in(request.work), Ledger(request.work) as ledger:
        ledger.forget_lines()
        engine: Engine = LocalEngine(request.work, request.config.engine)
        return _Collection(request, stages, ledger, view).run(engine)


@contextmanager
def _alone_in(work: Path) -> Iterator[None]:
    """Two runs in one work folder would clear away what the other is making."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / LOCK_NAME).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RequestError(
                f"Process {lock.read().strip() or '?'} is collecting into {work}: wait for it, or use another --work."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def build_stages(config: HarvestConfig) -> tuple[Stage, ...]:
    """The road of a video, in order."""
    return (
        Download(config.download, allow_private=config.source.allow_private),
        Transcribe(config.transcribe),
        FindScenes(config.scenes),
    )


def fingerprints(stages: Sequence[Stage], ref: VideoRef) -> dict[str, str]:
    """What each stage's record of this video must bear to be up to date."""
    origin = "+".join([ref.id, *(f"{known.language}:{known.digest}" for known in ref.subtitles)])
    found: dict[str, str] = {}
    for stage in stages:
        upstream = "+".join(found[name] for name in stage.after) or origin
        found[stage.name] = stage.fingerprint(upstream)
    return found


class _Collection:
    """The state of one `collect`."""

    def __init__(self, request: CollectRequest, stages: Sequence[Stage], ledger: Ledger, view: CollectView) -> None:
        self._request = request
        self._stages = stages
        self._ledger = ledger
        self._view = view
        self._failed_before = {(failure.video_id, failure.stage): failure for failure in ledger.failures()}
        self._urls: dict[str, str] = {}
        self._report = CollectReport()

    def run(self, engine: Engine) -> CollectReport:
        begun: set[str] = set()
        for outcome in engine.run(self._stages, self._tasks(begun)):
            self._ledger.journal(outcome)
            if outcome.reason is not None:
                self._note_failure(outcome)
            self._view.ended(outcome)
        self._report.done_now = len(begun - self._report.failures.keys())
        return self._report

    def _tasks(self, begun: set[str]) -> Iterator[Task]:
        """What is still to do, video by video, read from the playlist as the engine asks for more."""
        config = self._request.config.source
        for found in expand(self._request.playlist, config, self._ledger.digest_file):
            self._report.videos += 1
            self._ledger.register(found)
            if isinstance(found, SourceFailure):
                self._fail_source(found)
                continue
            self._urls[found.id] = found.url
            task = self._task(found)
            if task is not None:
                begun.add(found.id)
                for name in task.fingerprints:
                    self._view.planned(name)
                yield task

    def _task(self, ref: VideoRef) -> Task | None:
        """The stages of a video that are to be run now; None if there is none, or none may be tried."""
        folder = VideoFolder(self._request.work, ref.id)
        wanted = fingerprints(self._stages, ref)
        missing = {stage.name for stage in self._stages if not folder.has(stage.record, wanted[stage.name])}
        if missing - {"download"} or ref.path:
            missing |= self._unreachable(folder, ref)
        blocked = self._blocked(ref.id, missing, wanted)
        chosen = self._chosen(missing - blocked.keys(), available=wanted.keys() - missing)
        if blocked:
            self._report.failures[ref.id] = next(iter(blocked.values()))
        elif not chosen and self._request.only in missing:
            self._report.not_ready += 1
        elif not chosen:
            self._report.done_before += 1
        if not chosen:
            return None
        folder.sweep()
        folder.save(ref, fingerprint="")
        return Task(video_id=ref.id, fingerprints={name: wanted[name] for name in wanted if name in chosen})

    def _unreachable(self, folder: VideoFolder, ref: VideoRef) -> set[str]:
        """The download, if its record leads to no file any more: deleted, or a local file that was moved."""
        try:
            video = folder.load(Video)
        except BrokenRecord:
            return {"download"}
        moved = bool(ref.path) and video.media != ref.path
        return {"download"} if moved or not media_path(folder, video).is_file() else set()

    def _blocked(self, video_id: str, missing: set[str], wanted: Mapping[str, str]) -> dict[str, Failure]:
        """The stages that failed before for good, and all that hang on these."""
        blocked: dict[str, Failure] = {}
        for stage in self._stages:
            if stage.name not in missing:
                continue
            for earlier in stage.after:
                if earlier in blocked:
                    blocked[stage.name] = blocked[earlier]
            failure = self._failed_before.get((video_id, stage.name))
            if failure and failure.fingerprint == wanted[stage.name] and not self._may_retry(failure.reason):
                blocked[stage.name] = failure
        return blocked

    def _may_retry(self, reason: Reason) -> bool:
        return reason in RETRYABLE or reason in self._request.retry

    def _chosen(self, names: set[str], *, available: set[str]) -> set[str]:
        """With --only, that stage alone, and it only where what it reads is there."""
        if not self._request.only:
            return names
        stage = next(stage for stage in self._stages if stage.name == self._request.only)
        return names & {stage.name} if set(stage.after) <= available else set()

    def _fail_source(self, found: SourceFailure) -> None:
        self._urls[found.id] = found.line
        self._view.planned(SOURCE_STAGE)
        outcome = Outcome(
            video_id=found.id, stage=SOURCE_STAGE, fingerprint="", reason=found.reason, message=found.message
        )
        self._ledger.journal(outcome)
        self._note_failure(outcome)
        self._view.ended(outcome)

    def _note_failure(self, outcome: Outcome) -> None:
        assert outcome.reason is not None
        before = self._failed_before.get((outcome.video_id, outcome.stage))
        self._report.failures[outcome.video_id] = Failure(
            video_id=outcome.video_id,
            url=self._urls[outcome.video_id],
            stage=outcome.stage,
            fingerprint=outcome.fingerprint,
            reason=outcome.reason,
            message=outcome.message,
            attempts=1 + (before.attempts if before else 0),
        )
