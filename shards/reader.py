"""Reading shards: a tar's samples, in order or some of them, as undecoded bytes.

Nothing is unpacked to disk, links and devices are passed over, and only regular files are opened: no `pipe:`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from shards.codec import RawSample, decode
from shards.errors import CorruptShard
from shards.index import TarIndex, bounds, index_tar, raw_sample
from shards.manifest import Manifest
from shards.sample import Sample


def read_set(folder: Path, split: str) -> Iterator[Sample]:
    """The decoded samples of one split, shard by shard. Raises ShardsError."""
    for shard in Manifest.load(folder).of_split(split):
        for raw in read_shard(folder / shard.name):
            yield decode(raw)


def read_shard(path: Path) -> Iterator[RawSample]:
    """The undecoded samples of one tar. Raises CorruptShard, naming the file, when it is torn or malformed."""
    with open_shard(path) as file:
        index = index_tar(file, str(path))
        yield from read_samples(file, index)


def open_shard(path: Path) -> BinaryIO:
    """Raises CorruptShard for what is not a regular file: a pipe would be waited for."""
    if not path.is_file():
        raise CorruptShard(f"{path} is named in the manifest but is not a file.")
    return path.open("rb")


def read_samples(file: BinaryIO, index: TarIndex) -> Iterator[RawSample]:
    """The samples of a tar, each read at once with what little lies between its members."""
    for key, row, (start, end) in zip(index.keys, index.spans, bounds(index.spans), strict=True):
        file.seek(start)
        content = file.read(end - start)
        if len(content) < end - start:
            raise CorruptShard(f"{file.name} has become shorter while it was read.")
        yield raw_sample(str(key), row, memoryview(content), start)
