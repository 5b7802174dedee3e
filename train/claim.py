"""A run's folder belongs to one process from its first moment to its last.

A new run makes its folder as soon as it is asked for, so that of two that start at once each has its own. As long as
it trains it holds a lock on `.lock` in it, which ends with the process, however that ends.
"""

import errno
import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.errors import RunFolderError
from train.runs import ROOT

LOCK_NAME = ".lock"


def make(run: Path) -> bool:
    """Make the folder of a run; False if it is there."""
    try:
        run.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def make_next(root: Path = ROOT) -> Path:
    """Make `root`/pretrain-001, or the number after the highest there is."""
    while not make(run := _next_free(root)):
        pass  # another process was faster
    return run


def _next_free(root: Path) -> Path:
    names = (re.fullmatch(r"pretrain-(\d+)", folder.name) for folder in root.glob("pretrain-*"))
    taken = [int(match[1]) for match in names if match]
    return root / f"pretrain-{max(taken, default=0) + 1:03d}"


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Hold the folder as long as the block lasts. Raises RunFolderError if another process does."""
    with (run / LOCK_NAME).open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock not inherited: workers may outlive a kill
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):  # else a file system without locks: then it is on trust
                raise RunFolderError(
                    f"{run} is being trained into by another process, and two would mix: "
                    "wait until that has ended, or give another --out."
                ) from None
        yield


@contextmanager
def beginning(run: Path, *, made: bool) -> Iterator[None]:
    """In it a new run is set up: if that fails, nothing of it is left to block its name, nor a folder `made` for it."""
    before = any(path.name != LOCK_NAME for path in run.iterdir())
    try:
        yield
    except BaseException:
        if not before:
            _empty(run)
            if made:
                run.rmdir()
        raise


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
