"""`manifest.json`: what is in the set. It is written last, so that its presence says the set is whole."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from shards.errors import CorruptShard, NotAShardSet, UnknownSchema, shown
from shards.sample import KINDS, READABLE, SCHEMA, Kind
from shards.split import SPLITS, Split

MANIFEST_NAME = "manifest.json"
SIDE_NAME = re.compile(r"(_meta/)?[A-Za-z0-9_-]+\.(md|json|parquet)")
SHARD_NAME = re.compile(r"[A-Za-z0-9_-]+\.tar")  # nothing that leads out of the folder, nor a terminal astray


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """One tar of the set."""

    name: str  # "train-00000.tar"
    split: Split
    samples: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The set's table of contents."""

    schema: int = SCHEMA
    kind: Kind = "pairs"  # what every sample has: a picture and a text, or one of them
    version: str = ""  # of the software that wrote the set
    shards: tuple[ShardEntry, ...]
    files: dict[str, str]  # path in the folder -> SHA-256, of all that is neither tar nor manifest
    videos: dict[str, int] = field(default_factory=dict)  # split -> number of videos, photos or documents
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> number of candidates
    settings: dict[str, Any] = field(default_factory=dict)  # resolved settings that made the set

    def of_split(self, split: str) -> tuple[ShardEntry, ...]:
        """The shards of one split, in order."""
        return tuple(shard for shard in self.shards if shard.split == split)

    def samples(self, split: str | None = None) -> int:
        """How many samples there are, in `split` or in all."""
        return sum(shard.samples for shard in self.shards if split in (None, shard.split))

    @property
    def digest(self) -> str:
        """16 hex digits that name the set's samples and their order."""
        lines = "".join(f"{shard.name} {shard.sha256}\n" for shard in self.shards)
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read the manifest of the set in `folder`. Raises NotAShardSet, UnknownSchema or CorruptShard."""
        path = folder / MANIFEST_NAME
        if not folder.is_dir():
            raise NotAShardSet(f"There is no folder {folder}: make a set with 'harvest shard --out {folder}'.")
        if not path.is_file():
            raise NotAShardSet(
                f"{folder} holds no {MANIFEST_NAME}, so it is not a whole shard set: run 'harvest shard'."
            )
        return cls.parse(path.read_bytes(), str(path))

    @classmethod
    def parse(cls, text: bytes, path: str) -> "Manifest":
        """The manifest whose JSON lies at `path`. Raises UnknownSchema or CorruptShard."""
        try:
            values = json.loads(text.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise CorruptShard(f"{path} is not valid JSON: {error}.") from None
        return _parse(values, path)


def _parse(values: Any, path: str) -> Manifest:
    if not isinstance(values, dict):
        raise CorruptShard(f"{path} is not a manifest: it holds no object.")
    if missing := {"schema", "shards", "files"} - values.keys():
        raise CorruptShard(f"{path} is not a manifest of shards: it has no {min(missing)}.")
    if type(values["schema"]) is not int or values["schema"] not in READABLE:
        readable = f"{READABLE[0]} to {READABLE[-1]}"
        raise UnknownSchema(f"{path} has schema {shown(values['schema'])}; this version reads {readable}.")
    try:
        shards = tuple(ShardEntry(**entry) for entry in values.pop("shards"))
        manifest = Manifest(shards=shards, **values)
    except TypeError as error:
        raise CorruptShard(f"{path} is not a manifest: {error}.") from None
    for shard in shards:
        _check_entry(shard, path)
    if len({shard.name for shard in shards}) < len(shards):
        raise CorruptShard(f"{path} names a shard twice.")
    _check_facts(manifest, path)
    return manifest


def _check_entry(shard: ShardEntry, path: str) -> None:
    """A stranger's manifest must not lead out of its folder, nor miscount."""
    kinds = {field.name: cast(type, field.type) for field in dataclasses.fields(ShardEntry) if field.name != "split"}
    if not all(type(getattr(shard, name)) is kind for name, kind in kinds.items()):
        raise CorruptShard(f"{path} describes a shard with values of the wrong kind: {shown(shard.name)}.")
    if shard.split not in SPLITS or not SHARD_NAME.fullmatch(shard.name):
        raise CorruptShard(f"{path} names a shard that cannot be: {shown(shard.name)} of split {shown(shard.split)}.")
    if shard.samples < 0 or shard.bytes < 0:
        raise CorruptShard(f"{path} gives shard {shard.name} a negative size.")


def _check_facts(manifest: Manifest, path: str) -> None:
    if manifest.kind not in KINDS:
        raise CorruptShard(f"{path} is of kind {shown(manifest.kind)}, which is none of {', '.join(KINDS)}.")
    counts = [manifest.videos, manifest.dropped]
    sound = type(manifest.version) is str and isinstance(manifest.settings, dict)
    sound &= all(isinstance(table, dict) and all(type(n) is int for n in table.values()) for table in counts)
    if not sound:
        raise CorruptShard(f"{path} has a version, settings or counts of the wrong kind.")
    if not isinstance(manifest.files, dict) or not all(type(digest) is str for digest in manifest.files.values()):
        raise CorruptShard(f"{path} lists its side files without their digests.")
    if strange := [name for name in manifest.files if not SIDE_NAME.fullmatch(name)]:
        raise CorruptShard(f"{path} names a side file that cannot be: {shown(strange[0])}.")
