"""Where shards lie: local files, or an object store that fsspec reaches. For reading only.

Nothing that runs a program or leads through another protocol is opened: no `pipe:`, no `simplecache::`. What fsspec
connects with is asked for anew in every process, as it does not survive a fork.
"""

import errno
import glob
import os
import stat
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shards import patience
from shards.errors import CorruptShard, NotAShardSet, Unreachable
from shards.patience import patiently

PROTOCOLS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "hf", "hdfs", "http", "https")
NEAR_BYTES = 1 << 18  # what lies between two spans is fetched with them if it is no more than this

_answered: set[str] = set()  # places in stores that this process, or the one it was forked from, has once read

Span = tuple[int, int]  # first byte, and the one after the last
T = TypeVar("T")


class Store(Protocol):
    """A folder of shards. A file that is not there is a CorruptShard, one that cannot be reached Unreachable.

    What fails is tried again, as shards/patience.py says.
    """

    @property
    def near(self) -> bool:
        """Whether a few bytes here and there are cheap to read."""
        ...

    def path(self, name: str) -> str:
        """For people."""
        ...

    def version(self, name: str) -> str:
        """Another one when the file has changed."""
        ...

    def content(self, name: str) -> bytes: ...

    def as_file(self, name: str) -> AbstractContextManager[Path]:
        """The file itself, or a copy that lasts as long as the context."""
        ...

    def spans(self, name: str, spans: Sequence[Span]) -> list[bytes]: ...

    def glob(self, pattern: str) -> list[str]:
        """Sorted names."""
        ...


def store_of(text: str) -> tuple[Store, str]:
    """Where `text` leads, as a store and a path in it. Raises NotAShardSet for what is not opened here.

    >>> store_of("s3://bucket/set")
    (RemoteStore(protocol='s3', root=''), 'bucket/set')
    """
    protocol, separator, rest = text.partition("://")
    if not separator and not text.startswith("pipe:"):
        return LocalStore(root=Path()), text
    if protocol == "file":
        return LocalStore(root=Path()), rest
    if "::" in text or protocol not in PROTOCOLS:
        raise NotAShardSet(
            f"{text!r:.200} is not opened: shards are read from local paths and from {', '.join(PROTOCOLS)}, "
            "and neither from programs nor through chains of protocols. Copy them to one of these."
        )
    return RemoteStore(protocol=protocol, root=""), rest.strip("/")


def is_remote(text: str) -> bool:
    """Whether `text` names what would be connected to. Raises NotAShardSet for what is not opened here."""
    return isinstance(store_of(text)[0], RemoteStore)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStore:
    """A folder; an empty `root` takes names as paths."""

    root: Path

    @property
    def near(self) -> bool:
        return True

    def path(self, name: str) -> str:
        return str(self.root / name)

    def version(self, name: str) -> str:
        facts = self._tried(name, Path.stat)
        return f"{facts.st_size}-{facts.st_mtime_ns}"

    def content(self, name: str) -> bytes:
        return self._tried(name, Path.read_bytes)

    def as_file(self, name: str) -> AbstractContextManager[Path]:
        return nullcontext(self._tried(name, lambda path: path))

    def spans(self, name: str, spans: Sequence[Span]) -> list[bytes]:
        def read(path: Path) -> list[bytes]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                return [os.pread(descriptor, end - start, start) for start, end in spans]
            finally:
                os.close(descriptor)

        return self._tried(name, read)

    def glob(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern, root_dir=self.root, recursive=True))  # noqa: PTH207  # absolute ones, too

    def _tried(self, name: str, use: Callable[[Path], T]) -> T:
        path = self.root / name

        def checked() -> T:
            if not _is_file(path):  # a pipe would be waited for
                raise CorruptShard(f"{path} is not there, or is no file.")
            return use(path)

        return patiently(checked, str(path), patience.DISK, failing=OSError)


def _is_file(path: Path) -> bool:
    """Unlike Path.is_file, never False for a disk that fails."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except ValueError:  # a name that no file can have
        return False
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            return False
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStore:
    """A folder of an object store."""

    protocol: str
    root: str  # bucket and folder, without the protocol

    @property
    def near(self) -> bool:
        return False

    def path(self, name: str) -> str:
        return f"{self.protocol}://{self._key(name)}"

    def version(self, name: str) -> str:
        facts = self._retried(name, lambda system: system.info(self._key(name)))
        return "-".join(str(facts.get(fact, "")) for fact in ("size", "ETag", "etag", "mtime", "md5Hash"))

    def content(self, name: str) -> bytes:
        return bytes(self._retried(name, lambda system: system.cat_file(self._key(name))))

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="shard-") as folder:
            copy = Path(folder) / "shard.tar"
            self._retried(name, lambda system: system.get_file(self._key(name), str(copy)))
            yield copy

    def spans(self, name: str, spans: Sequence[Span]) -> list[bytes]:
        joined = _joined(spans)
        starts, ends = [start for start, _ in joined], [end for _, end in joined]

        def fetch(system: Any) -> list[bytes]:
            return [*system.cat_ranges([self._key(name)] * len(joined), starts, ends, on_error="raise")]

        parts = self._retried(name, fetch)
        places = [bisect_right(starts, start) - 1 for start, _ in spans]
        return [
            parts[place][start - starts[place] : end - starts[place]]
            for place, (start, end) in zip(places, spans, strict=True)
        ]

    def glob(self, pattern: str) -> list[str]:
        return sorted(str(found) for found in self._retried(pattern, lambda system: system.glob(self._key(pattern))))

    def _key(self, name: str) -> str:
        key = f"{self.root}/{name}" if self.root else name
        return f"{self.protocol}://{key}" if self.protocol in ("http", "https") else key

    def _retried(self, name: str, use: Callable[[Any], T]) -> T:
        """What `use` gives of the file system, at a later try if need be."""
        path = self.path(name)
        place = "/".join(path.split("/")[:3])  # bucket or host

        def used() -> T:
            try:
                return use(_file_system(self.protocol))
            except ImportError as error:
                raise _lacking(self.protocol, error) from None

        found = patiently(used, path, patience.STORE if place in _answered else patience.NEW_STORE)
        _answered.add(place)
        return found


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans that hold all of `spans`, those that lie near each other in one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= NEAR_BYTES:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _file_system(protocol: str) -> Any:
    try:
        import fsspec  # comes with the extra, and is wanted for no local file
    except ImportError as error:
        raise _lacking(protocol, error) from None
    return fsspec.filesystem(protocol)


def _lacking(protocol: str, error: ImportError) -> Unreachable:
    extra = " (pip install 'harvest-train[s3]')" if protocol.startswith("s3") else ""
    return Unreachable(f"Reading {protocol}:// needs a package that is not installed{extra}: {error}.")
