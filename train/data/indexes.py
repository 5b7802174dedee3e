"""Where the samples of a shard lie, found out once: by its headers, kept on disk for all processes and later epochs."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shards import patience
from shards.index import TarIndex, index_tar
from shards.patience import patiently
from shards.replacing import clear_abandoned_files, replacing_file
from shards.store import Store

logger = logging.getLogger(__name__)

_told: set[Path] = set()  # folders that take nothing, of which this process has told
_cleared: set[Path] = set()  # folders that this process has looked through for what killed ones left


def keep(path: Path, write: Callable[[Path], object]) -> None:
    """`write` the file whole, also when others write it at once. Where the disk does not take it, go on without."""
    try:
        if path.parent not in _cleared:
            _cleared.add(path.parent)
            clear_abandoned_files(path.parent)
        with replacing_file(path) as partial:
            write(partial)
    except OSError as error:
        if path.parent not in _told:
            _told.add(path.parent)
            logger.warning(
                "What is found out about tars cannot be kept in %s (%s), so they are looked through again and again: "
                "make the folder writable, or free some space.",
                path.parent,
                error,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Of the shards of one store."""

    store: Store
    cache: Path | None  # folder; None keeps nothing

    def of(self, name: str) -> TarIndex:
        """Raises CorruptShard when the shard is missing, torn or malformed."""
        found = self.known(name)
        if found is None:
            with self.store.as_file(name) as path:
                found = self.made(name, path)
        return found

    def known(self, name: str) -> TarIndex | None:
        """The index of a shard that was read before, if it has not changed since."""
        path = self._path(name)
        return None if path is None else TarIndex.load(path)

    def made(self, name: str, file: Path) -> TarIndex:
        """The index of the shard `name`, whose bytes lie in `file`."""
        where = self.store.path(name)

        def looked_through() -> TarIndex:
            with file.open("rb") as opened:
                return index_tar(opened, where)

        index = patiently(looked_through, where, patience.DISK, failing=OSError)
        if (path := self._path(name)) is not None:
            keep(path, index.save)
        return index

    def _path(self, name: str) -> Path | None:
        if self.cache is None:
            return None
        text = f"{self.store.path(name)} {self.store.version(name)}"
        return self.cache / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"
