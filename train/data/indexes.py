"""Where the samples of a shard lie, found out once: by its headers, kept on disk for all processes and later epochs."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shards.index import TarIndex, index_tar
from shards.store import Store


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
        with file.open("rb") as opened:
            index = index_tar(opened, self.store.path(name))
        if (path := self._path(name)) is not None:
            index.save(path)
        return index

    def _path(self, name: str) -> Path | None:
        if self.cache is None:
            return None
        text = f"{self.store.path(name)} {self.store.version(name)}"
        return self.cache / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"
