"""The engine of one machine: a pool of processes a stage, so that downloads, speech and pictures overlap."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Annotated

from pydantic import Field

from configs import Config
from harvest.engines.base import Outcome, Task
from harvest.engines.pool import Pool
from harvest.engines.worker import Assignment
from harvest.errors import RequestError
from harvest.stages.base import Resource, Stage

NETWORK_WORKERS = 4  # mostly waiting


class EngineConfig(Config):
    """How many worker processes each stage gets, and how far ahead the playlist is read."""

    workers: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)  # by stage, instead of the usual
    max_open: int = Field(default=64, ge=1)  # videos begun and not ended


class LocalEngine:
    """Runs stages in processes of this machine."""

    def __init__(self, work_folder: Path, config: EngineConfig) -> None:
        self._work_folder = work_folder
        self._config = config

    def run(self, stages: Sequence[Stage], tasks: Iterable[Task]) -> Iterator[Outcome]:
        sizes = pool_sizes(stages, self._config)
        pools = {stage.name: Pool(stage, self._work_folder, size=sizes[stage.name]) for stage in stages}
        try:
            yield from _Run(pools, tasks, max_open=self._config.max_open).outcomes()
        finally:
            for pool in pools.values():
                pool.close()


def pool_sizes(stages: Sequence[Stage], config: EngineConfig) -> dict[str, int]:
    """Workers by stage: one a core for each stage that computes, so that no core idles when the others are done.

    Raises RequestError for a stage that does not exist.
    """
    names = {stage.name for stage in stages}
    unknown = sorted(config.workers.keys() - names)
    if unknown:
        raise RequestError(
            f"engine.workers names no stage with {unknown[0]!r}: choose among {', '.join(sorted(names))}."
        )
    cores = len(os.sched_getaffinity(0))  # a container may have fewer than the machine
    by_need: dict[Resource, int] = {"network": NETWORK_WORKERS, "cpu": cores, "gpu": 1}
    usual = {stage.name: by_need[stage.needs] for stage in stages}
    return usual | config.workers


class _Run:
    """The state of one call of `run`: which videos are open, and which of their stages are still to come."""

    def __init__(self, pools: dict[str, Pool], tasks: Iterable[Task], *, max_open: int) -> None:
        self._pools = pools
        self._tasks = iter(tasks)
        self._more = True
        self._max_open = max_open
        self._open: dict[str, tuple[Task, set[str]]] = {}  # by video: its task, and the stages not yet ended

    def outcomes(self) -> Iterator[Outcome]:
        while True:
            self._begin_one()
            for pool in self._pools.values():
                pool.assign()
            if not self._room and not any(pool.busy for pool in self._pools.values()):
                return
            self._wait()
            for pool in self._pools.values():
                for outcome in pool.collect():
                    self._settle(outcome)
                    yield outcome

    @property
    def _room(self) -> bool:
        return self._more and len(self._open) < self._max_open

    def _begin_one(self) -> None:
        """Open one further video. One at a time: finding the next may take a look at the network or a large file,
        and the workers must not wait for many of those."""
        if not self._room:
            return
        task = next(self._tasks, None)
        if task is None:
            self._more = False
        elif task.fingerprints:
            self._open[task.video_id] = (task, set(task.fingerprints))
            for name in task.fingerprints:
                if not self._awaits(name, task.fingerprints.keys()):
                    self._enqueue(task, name)

    def _settle(self, outcome: Outcome) -> None:
        """Take one ended stage off its video; let begin what waited for it alone, or drop what hangs on it."""
        task, remaining = self._open[outcome.video_id]
        remaining.discard(outcome.stage)
        if outcome.reason is not None:
            remaining -= self._hanging_on(outcome.stage)
        for name in sorted(remaining):
            if outcome.stage in self._pools[name].stage.after and not self._awaits(name, remaining):
                self._enqueue(task, name)
        if not remaining:
            del self._open[outcome.video_id]

    def _hanging_on(self, stage: str) -> set[str]:
        """All stages that come after `stage`, directly or not."""
        after = {name for name, pool in self._pools.items() if stage in pool.stage.after}
        return after.union(*(self._hanging_on(name) for name in after))

    def _awaits(self, name: str, remaining: Collection[str]) -> bool:
        return any(earlier in remaining for earlier in self._pools[name].stage.after)

    def _enqueue(self, task: Task, name: str) -> None:
        self._pools[name].waiting.append(Assignment(task.video_id, task.fingerprints[name]))

    def _wait(self) -> None:
        connections = [connection for pool in self._pools.values() for connection in pool.connections]
        deadline = min(pool.next_deadline for pool in self._pools.values())
        patience = 0.0 if self._room else max(0.0, min(deadline - time.monotonic(), 3600.0))
        wait(connections, timeout=patience)
