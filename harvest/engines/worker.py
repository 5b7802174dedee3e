"""A worker: one process that runs one stage, video after video, until its pipe is closed.

driver --Assignment--> worker --Outcome--> driver        (first of all the worker answers Ready or SetupFailed)
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from harvest.engines.base import Outcome
from harvest.errors import HarvestError, Reason, StageError
from harvest.folder import VideoFolder
from harvest.stages.base import Stage


@dataclass(frozen=True, slots=True)
class Assignment:
    """One video to work on."""

    video_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded what it needs."""


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """The worker cannot work at all. `details` is "" when the message says all there is to say."""

    message: str
    details: str


def work(connection: Connection, stage: Stage, work_folder: Path) -> None:
    """The body of a worker process."""
    os.setsid()  # the worker and what it starts, such as ffmpeg, are one group: ended together
    threading.Thread(target=_leave_with_the_driver, daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the driver is done, or dead
        answer = _set_up(stage)
        connection.send(answer)
        while isinstance(answer, Ready):
            assignment = connection.recv()
            folder = VideoFolder(work_folder, assignment.video_id)
            connection.send(attempt(stage, folder, assignment.fingerprint))


def _leave_with_the_driver() -> None:
    """A worker that outlived its driver would disturb the next one, which may work on the same video."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os.killpg(0, signal.SIGKILL)


def _set_up(stage: Stage) -> Ready | SetupFailed:
    try:
        stage.setup()
    except HarvestError as error:
        return SetupFailed(str(error), "")
    except Exception as error:
        return SetupFailed(f"{type(error).__name__}: {error}", traceback.format_exc())
    return Ready()


def attempt(stage: Stage, folder: VideoFolder, fingerprint: str) -> Outcome:
    """Run `stage` on one video and save its record. This is the border where any error becomes an Outcome."""
    started = time.monotonic()
    reason, message, details = None, "", ""
    try:
        folder.save(stage.run(folder), fingerprint)
    except StageError as error:
        reason, message = error.reason, str(error)
    except Exception as error:
        reason, message, details = Reason.FAILED, f"{type(error).__name__}: {error}", traceback.format_exc()
    return Outcome(
        video_id=folder.video_id,
        stage=stage.name,
        fingerprint=fingerprint,
        reason=reason,
        message=message,
        details=details,
        seconds=round(time.monotonic() - started, 3),
    )
