"""A set to learn from: its name, what its samples have, and how many lie in each shard.

a folder with manifest.json      local, or s3://bucket/set, gs://..., any store in shards/store.py
tars by braces or a glob         data/cc3m-{00000..00331}.tar, s3://bucket/set/*.tar: see train/data/tars.py
"""

import glob
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from shards.errors import CorruptShard, NotAShardSet
from shards.manifest import MANIFEST_NAME, Manifest, ShardEntry
from shards.sample import Kind
from shards.store import LocalStore, RemoteStore, Store, store_of
from train.data.tars import count_tars, is_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set. Holds no open file and no connection, so it can go to other processes."""

    name: str  # a URL, or the full path of a folder or pattern: means the same from wherever it is asked for again
    kind: Kind  # what every sample has
    store: Store
    shards: tuple[ShardEntry, ...]  # of all splits
    digest: str  # names the set's samples and their order
    foreign: bool  # tars of others: no splits, and no records that must be there
    cache: Path | None  # folder for what is found out about tars and would cost to find out again

    def of_split(self, split: str) -> tuple[ShardEntry, ...]:
        """The shards of one split, in order. Tars without a manifest are all `train`."""
        return tuple(shard for shard in self.shards if shard.split == split)

    def samples(self, split: str) -> int:
        return sum(shard.samples for shard in self.of_split(split))


def open_source(text: str, *, cache: Path | None = None, skip: bool = False) -> Source:
    """The set that `text` names. Raises ShardsError, or DataError where a pattern finds nothing to learn from.

    Of tars without a manifest the headers are read, once if there is a `cache` folder to note them in; those that are
    torn end it, or with `skip` are left out.
    """
    store, path = store_of(text)
    if is_pattern(path) and not (store.near and os.path.isdir(path)):  # noqa: PTH112  # never raises
        path = _full(path) if store.near else path
        found = count_tars(store, path, cache=cache, skip=skip)
        return Source(
            name=path if store.near else text,
            kind=found.kind,
            store=store,
            shards=found.shards,
            digest=_digest(found.shards),
            foreign=True,
            cache=cache,
        )
    if isinstance(store, RemoteStore):
        store = RemoteStore(protocol=store.protocol, root=path)
        return _with_manifest(text, store, _remote_manifest(store), cache)
    return source_of(Path(path), Manifest.load(Path(path)), cache=cache)


def _full(pattern: str) -> str:
    """From the root on. What is a sign of patterns in the name of the present folder stands for itself."""
    here = re.sub(r"[{}\\]", r"\\\g<0>", glob.escape(str(Path.cwd())))
    return str(Path(here) / pattern)


def source_of(folder: Path, manifest: Manifest, *, cache: Path | None = None) -> Source:
    """The set in `folder`, whose manifest has been read."""
    return _with_manifest(str(folder.resolve()), LocalStore(root=folder), manifest, cache)


def _with_manifest(name: str, store: Store, manifest: Manifest, cache: Path | None) -> Source:
    return Source(
        name=name,
        kind=manifest.kind,
        store=store,
        shards=manifest.shards,
        digest=manifest.digest,
        foreign=False,
        cache=cache,
    )


def _remote_manifest(store: RemoteStore) -> Manifest:
    try:
        text = store.content(MANIFEST_NAME)
    except CorruptShard:
        raise NotAShardSet(
            f"{store.path(MANIFEST_NAME)} is not there, so {store.path('')} is not a whole shard set: "
            "name tars without a manifest by a pattern such as '*.tar'."
        ) from None
    return Manifest.parse(text, store.path(MANIFEST_NAME))


def _digest(shards: tuple[ShardEntry, ...]) -> str:
    """As the manifest's, with sizes and counts in place of digests, which would cost reading all of it."""
    lines = "".join(f"{shard.name.rpartition('/')[2]} {shard.bytes} {shard.samples}\n" for shard in shards)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
