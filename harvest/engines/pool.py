"""The workers of one stage: started when there is work, replaced when they die, ended when they hang."""

import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from harvest.engines.base import Outcome
from harvest.engines.worker import Assignment, Ready, SetupFailed, work
from harvest.errors import HarvestError, Reason
from harvest.stages.base import Stage

logger = logging.getLogger(__name__)

SETUP_TIMEOUT_S = 1800.0  # a model may have to be downloaded first
FAREWELL_S = 5.0

# Spawned, not forked: a forked child of a process with threads may hang, and would hold the pipes of its siblings.
CONTEXT = multiprocessing.get_context("spawn")


class _Worker:
    def __init__(self, stage: Stage, work_folder: Path) -> None:
        self.connection, theirs = CONTEXT.Pipe()
        self.process: BaseProcess = CONTEXT.Process(
            target=work, args=(theirs, stage, work_folder), name=f"harvest-{stage.name}", daemon=True
        )
        with _interruptions_blocked():
            self.process.start()
        theirs.close()
        self.assignment: Assignment | None = None
        self.ready = False
        self.deadline = time.monotonic() + SETUP_TIMEOUT_S
        self.assigned_at = 0.0

    @property
    def idle(self) -> bool:
        return self.ready and self.assignment is None

    def assign(self, assignment: Assignment, timeout_s: float) -> None:
        """Hand over one video. Raises BrokenPipeError if the worker has died meanwhile."""
        self.assignment = assignment
        self.assigned_at = time.monotonic()
        self.deadline = self.assigned_at + timeout_s
        self.connection.send(assignment)

    def end(self) -> None:
        """Let an idle worker leave by itself; a busy one is stopped."""
        self.connection.close()
        if self.idle:
            self.process.join(FAREWELL_S)
        with suppress(ProcessLookupError):  # gone, or so young that it leads no group yet
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join()


@contextmanager
def _interruptions_blocked() -> Iterator[None]:
    """Ctrl-C in a terminal also goes to a worker that has not yet left the driver's session. What it means is the
    driver's to decide: the worker inherits this mask, and one that comes now waits until the block ends."""
    resource_tracker.ensure_running()  # the first start would begin it, and it unblocks SIGINT when it has begun
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pool:
    """Up to `size` workers for one stage."""

    def __init__(self, stage: Stage, work_folder: Path, *, size: int) -> None:
        self.stage = stage
        self.waiting: deque[Assignment] = deque()
        self._work_folder = work_folder
        self._size = size
        self._workers: list[_Worker] = []

    @property
    def busy(self) -> bool:
        """Whether something is waiting or being worked on."""
        return bool(self.waiting) or any(worker.assignment for worker in self._workers)

    @property
    def connections(self) -> list[Connection]:
        """What to wait on: ready to be read when a worker has something to say or has died."""
        return [worker.connection for worker in self._workers if worker.assignment or not worker.ready]

    @property
    def next_deadline(self) -> float:
        """The moment, by time.monotonic, at which the first worker is late."""
        late = [worker.deadline for worker in self._workers if worker.assignment or not worker.ready]
        return min(late, default=float("inf"))

    def assign(self) -> None:
        """Hand waiting videos to idle workers, and start workers while there are more videos than these."""
        for worker in [*self._workers]:
            if worker.idle and self.waiting:
                try:
                    worker.assign(self.waiting[0], self.stage.timeout_s)
                    self.waiting.popleft()
                except BrokenPipeError:  # it died idle; nothing is lost with it
                    self._remove(worker)
        starting = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < self._size and len(self.waiting) > starting:
            self._workers.append(_Worker(self.stage, self._work_folder))
            starting += 1

    def collect(self) -> list[Outcome]:
        """What the workers have to tell: results, and the outcomes of those that died or were too late."""
        outcomes = []
        for worker in [*self._workers]:
            try:
                if worker.connection.poll():
                    outcomes += self._hear(worker, worker.connection.recv())
                elif time.monotonic() > worker.deadline and not worker.idle:
                    outcomes += self._lose(worker, Reason.TIMEOUT)
            except (EOFError, ConnectionResetError):
                outcomes += self._lose(worker, Reason.CRASHED)
        return outcomes

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _hear(self, worker: _Worker, message: object) -> list[Outcome]:
        match message:
            case Ready():
                worker.ready = True
                return []
            case SetupFailed(text, details):
                logger.debug("%s", details)
                raise HarvestError(text)
            case Outcome():
                worker.assignment = None
                return [message]
        raise AssertionError(message)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def _lose(self, worker: _Worker, reason: Reason) -> list[Outcome]:
        """Replace a worker that died or hangs; the video it had becomes an outcome."""
        assignment = worker.assignment
        self._remove(worker)
        if worker.ready and assignment is None:
            return []  # it died idle; nothing is lost with it
        if assignment is None:
            raise HarvestError(
                f"A worker of stage {self.stage.name} ended with exit code {worker.process.exitcode} "
                "before it could begin: run again with --debug, or with fewer workers if memory is short."
            )
        seconds = round(time.monotonic() - worker.assigned_at, 3)
        messages = {
            Reason.TIMEOUT: f"Stage {self.stage.name} took over {self.stage.timeout_s:.0f} s and was stopped.",
            Reason.CRASHED: f"The worker died (exit code {worker.process.exitcode}) on this video.",
        }
        return [
            Outcome(
                video_id=assignment.video_id,
                stage=self.stage.name,
                fingerprint=assignment.fingerprint,
                reason=reason,
                message=messages[reason],
                seconds=seconds,
            )
        ]
