"""Reading shards: a tar's bytes, in order, grouped into samples by webdataset's own parts.

Nothing is unpacked to disk, links and devices are passed over, and only local files are opened: no `pipe:`.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from shards.codec import MAX_MEMBER_BYTES, MEMBERS, RawSample, decode
from shards.errors import CorruptShard
from shards.manifest import Manifest
from shards.sample import Sample

MALFORMED = (tarfile.TarError, ValueError, EOFError, OverflowError, MemoryError, RecursionError)
"""What tarfile raises on headers that somebody has made or damaged. OSError is left to mean the disk."""


def read_set(folder: Path, split: str) -> Iterator[Sample]:
    """The decoded samples of one split, shard by shard. Raises ShardsError."""
    for shard in Manifest.load(folder).of_split(split):
        for raw in read_shard(folder / shard.name):
            yield decode(raw)


def read_shard(path: Path) -> Iterator[RawSample]:
    """The undecoded samples of one tar. Raises CorruptShard, naming the file, when it is torn or malformed."""
    from webdataset.tariterators import group_by_keys  # pulls in torch where that is installed

    if not path.is_file():  # a pipe would be waited for
        raise CorruptShard(f"{path} is named in the manifest but is not a file.")
    try:
        for group in group_by_keys(_members(path)):
            yield RawSample(key=group["__key__"], members={name: group[name] for name in MEMBERS if name in group})
    except MALFORMED as error:
        cause = error.args[0] if error.args else type(error).__name__  # webdataset adds to the arguments
        raise CorruptShard(f"{path} cannot be read as a shard: {cause}.") from None


def _members(path: Path) -> Iterator[dict[str, Any]]:
    """webdataset's `fname`/`data` stream, but bounded: a member's declared size is checked before it is read."""
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        end = 0
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps every header it has met
            if archive.offset <= end:  # a size below zero would lead round in circles
                raise CorruptShard(f"{path} has a member with a size below zero after {end} bytes.")
            end = archive.offset
            ending = member.name.rpartition(".")[2].lower()
            if member.isreg() and ending in MEMBERS:
                data = _content(archive, member, path, limit=MAX_MEMBER_BYTES[ending])
                yield {"fname": member.name, "data": data, "__url__": str(path)}
        _expect_end(file, archive.offset)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, *, limit: int) -> bytes:
    if not member.name.isprintable():  # names reach messages, and so terminals
        raise CorruptShard(f"{path} holds a member with a name that cannot be shown: {member.name!r}.")
    if not 0 <= member.size <= limit:
        raise CorruptShard(f"Member {member.name!r} of {path} has {member.size} bytes, not 0 to {limit}.")
    file = archive.extractfile(member)
    assert file is not None  # a regular file has content
    return file.read()


def _expect_end(file: BinaryIO, offset: int) -> None:
    """At a broken header tarfile stops as if the archive ended there; after a true end there are only zeros."""
    file.seek(offset)
    last = file.read(tarfile.BLOCKSIZE)
    whole = len(last) == tarfile.BLOCKSIZE
    while whole and last:
        whole = not any(last)
        last = file.read(1 << 20)
    if not whole:
        raise CorruptShard(f"{file.name} is torn or damaged after {offset} bytes.")
