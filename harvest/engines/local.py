"""The engine of one machine: a pool of processes a stage, so that downloads, speech and pictures overlap."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from pydantic import Field

from configs import Config
from harvest.engines.base import Outcome, Task
from harvest.engines.pool import Pool
from harvest.engines.worker import Assignment
from harvest.stages.base import Stage


class EngineConfig(Config):
    """How many worker processes each stage gets. 0: by the number of cores."""

    download_workers: int = Field(default=0, ge=0)
    transcribe_workers: int = Field(default=0, ge=0)
    scenes_workers: int = Field(default=0, ge=0)
    max_open: int = Field(default=64, ge=1)  # videos begun and not ended; bounds the disk that media wait on

    def workers(self, stage: str) -> int:
        """Workers of a stage. Speech and pictures share the cores; downloads mostly wait for the network."""
        cores = os.cpu_count() or 2
        usual = {"download": 4, "transcribe": max(1, cores // 2), "scenes": max(1, cores - cores // 2)}
        chosen = {
            "download": self.download_workers,
            "transcribe": self.transcribe_workers,
            "scenes": self.scenes_workers,
        }
        return chosen[stage] or usual[stage]


class LocalEngine:
    """Runs stages in processes of this machine."""

    def __init__(self, work_folder: Path, config: EngineConfig) -> None:
        self._work_folder = work_folder
        self._config = config

    def run(self, stages: Sequence[Stage], tasks: Iterable[Task]) -> Iterator[Outcome]:
        pools = {stage.name: Pool(stage, self._work_folder, size=self._config.workers(stage.name)) for stage in stages}
        try:
            yield from _Run(pools, tasks, max_open=self._config.max_open).outcomes()
        finally:
            for pool in pools.values():
                pool.close()


class _Run:
    """The state of one call of `run`: which videos are open, and which of their stages are still to come."""

    def __init__(self, pools: dict[str, Pool], tasks: Iterable[Task], *, max_open: int) -> None:
        self._pools = pools
        self._tasks = iter(tasks)
        self._max_open = max_open
        self._open: dict[str, tuple[Task, set[str]]] = {}  # by video: its task, and the stages not yet ended

    def outcomes(self) -> Iterator[Outcome]:
        while True:
            self._begin()
            for pool in self._pools.values():
                pool.assign()
            if not any(pool.busy for pool in self._pools.values()):
                return
            self._wait()
            for pool in self._pools.values():
                for outcome in pool.collect():
                    self._settle(outcome)
                    yield outcome

    def _begin(self) -> None:
        """Open further videos while there is room."""
        while len(self._open) < self._max_open and (task := next(self._tasks, None)) is not None:
            if task.fingerprints:
                self._open[task.video_id] = (task, set(task.fingerprints))
                for name in task.fingerprints:
                    if not self._awaits(task, name):
                        self._enqueue(task, name)

    def _settle(self, outcome: Outcome) -> None:
        """Take one ended stage off its video, and let begin what waited for it."""
        task, remaining = self._open[outcome.video_id]
        remaining.discard(outcome.stage)
        for name in sorted(remaining):
            if outcome.stage in self._pools[name].stage.after:
                if outcome.reason is None:
                    self._enqueue(task, name)
                else:
                    remaining.discard(name)
        if not remaining:
            del self._open[outcome.video_id]

    def _awaits(self, task: Task, name: str) -> bool:
        return any(earlier in task.fingerprints for earlier in self._pools[name].stage.after)

    def _enqueue(self, task: Task, name: str) -> None:
        self._pools[name].waiting.append(Assignment(task.video_id, task.fingerprints[name]))

    def _wait(self) -> None:
        connections = [connection for pool in self._pools.values() for connection in pool.connections]
        deadline = min(pool.next_deadline for pool in self._pools.values())
        wait(connections, timeout=max(0.0, min(deadline - time.monotonic(), 3600.0)))
