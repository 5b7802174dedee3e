"""A folder, or a file, that takes its name only when it is whole, and then takes the place of the one before.

    .shards.unfinished-k2x9qa_1/    while it is written; its writer holds a lock on it
    .shards.replaced-k2x9qa_1/      the set before, for the instant between two renames

A writer that is killed leaves such folders behind. The next one clears them away, and puts a replaced set
back should the killing have fallen between the two renames.
"""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shards.errors import CannotWrite, ShardsError, UnknownSchema
from shards.manifest import MANIFEST_NAME, Manifest

UNFINISHED, REPLACED = "unfinished", "replaced"
ABANDONED = 86400.0  # seconds after which nobody still writes a file
_PARTIAL = re.compile(r"\..*\.[0-9a-f]{32}(\.[^.]*)?")


@contextmanager
def replacing(out: Path, *, owned: frozenset[str]) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes otherwise.

    `owned` are the names, beside the tars, that a set may hold. Raises CannotWrite if `out` is anything but a set.
    """
    out = out.resolve()  # of a link, what it points to is replaced
    _refuse_foreign(out, owned)
    out.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(out)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.{UNFINISHED}-", dir=out.parent))
    try:
        with _lock(folder):
            folder.chmod(0o755)
            yield folder
            _to_disk(folder)
            _refuse_foreign(out, owned)  # it may have been filled meanwhile
            _take_place(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A name beside `path`, of no other writer, that takes its place when the block ends well, and vanishes otherwise.

    Without waiting for the disk: after a power cut the file may be damaged, and who reads it must see that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def clear_abandoned_files(folder: Path) -> None:
    """What writers of `replacing_file` left that were killed; it is known by its age, for they hold no lock."""
    for path in folder.glob(".*"):
        with contextlib.suppress(OSError):  # another may clear them away at the same time
            if _PARTIAL.fullmatch(path.name) and path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()


def _refuse_foreign(out: Path, owned: frozenset[str]) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    advice = "choose another --out, or empty it."
    if not out.is_dir() or not (out / MANIFEST_NAME).is_file():
        raise CannotWrite(f"{out} holds something that is not a shard set: {advice}")
    try:
        tars = {shard.name for shard in Manifest.load(out).shards}
    except UnknownSchema:
        return  # a set of another version is a set
    except ShardsError as error:
        raise CannotWrite(f"{out} holds something that is not a shard set ({error}): {advice}") from None
    if strange := sorted({path.name for path in out.iterdir()} - owned - tars):
        raise CannotWrite(f"{out} holds {strange[0]!r}, which is not part of the set and would be lost: move it away.")


def _take_place(folder: Path, out: Path) -> None:
    if not out.exists():
        folder.rename(out)
        return
    old = _replaced_by(folder)
    out.rename(old)
    try:
        folder.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _replaced_by(folder: Path) -> Path:
    return folder.with_name(f".{REPLACED}-".join(folder.name.rsplit(f".{UNFINISHED}-", 1)))


def _clear_leftovers(out: Path) -> None:
    """What writers of `out` that no longer live have left."""
    pattern = re.compile(rf"\.{re.escape(out.name)}\.({UNFINISHED}|{REPLACED})-([a-z0-9_]{{8}})")
    found = [match for path in sorted(out.parent.iterdir()) if (match := pattern.fullmatch(path.name))]
    for match in sorted(found, key=lambda match: match[1]):  # replaced sets first: they need their writer's lock
        path = out.with_name(match[0])
        if _is_locked(out.with_name(f".{out.name}.{UNFINISHED}-{match[2]}")):
            continue
        if match[1] == REPLACED and not out.exists():
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold `folder` as long as this process lives and the block lasts."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: then nobody clears anything away
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _is_locked(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _to_disk(folder: Path) -> None:
    """Files before the rename that vouches for them: a power cut must not leave a name without its bytes."""
    for path in sorted(folder.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
