"""Reading shards: a tar's bytes, in order, grouped into samples by webdataset's own parts.

Nothing is unpacked to disk, links and devices are passed over, and only local files are opened: no `pipe:`.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shards.codec import MAX_MEMBER_BYTES, MEMBERS, RawSample, decode
from shards.errors import CorruptShard
from shards.manifest import Manifest
from shards.sample import Sample


def read_set(folder: Path, split: str) -> Iterator[Sample]:
    """The decoded samples of one split, shard by shard. Raises ShardsError."""
    for shard in Manifest.load(folder).of_split(split):
        for raw in read_shard(folder / shard.name):
            yield decode(raw)


def read_shard(path: Path) -> Iterator[RawSample]:
    """The undecoded samples of one tar. Raises CorruptShard, naming the file, when it is torn or malformed."""
    from webdataset.tariterators import group_by_keys  # pulls in torch where that is installed

    try:
        for group in group_by_keys(_members(path)):
            yield RawSample(key=group["__key__"], members={name: group[name] for name in MEMBERS if name in group})
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise CorruptShard(f"{path} cannot be read as a shard: {error}.") from None
    except FileNotFoundError:
        raise CorruptShard(f"{path} is named in the manifest but does not exist.") from None


def _members(path: Path) -> Iterator[dict[str, Any]]:
    """webdataset's `fname`/`data` stream, but bounded: a member's declared size is checked before it is read."""
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps every header it has met
            ending = member.name.rpartition(".")[2].lower()
            if member.isreg() and ending in MEMBERS:
                data = _content(archive, member, limit=MAX_MEMBER_BYTES[ending])
                yield {"fname": member.name, "data": data, "__url__": str(path)}
        # At a broken header tarfile stops as if the archive ended there; a true end is a block of zeros.
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise CorruptShard(f"{path} is torn or damaged after {archive.offset} bytes.")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, *, limit: int) -> bytes:
    if member.size > limit:
        raise CorruptShard(f"Member {member.name!r} of {archive.name!r} is {member.size} bytes, over the limit.")
    file = archive.extractfile(member)
    assert file is not None  # a regular file has content
    return file.read()
