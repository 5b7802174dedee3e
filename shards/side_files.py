"""The files beside the tars: rows for people and queries, counts for open_clip, an index for wids, the card.

sizes.json              open_clip: {"train-00000.tar": samples}
index.json              wids: its shard list with MD5 sums
_meta/00000.parquet     one row a sample of shard 00000; _meta/00000_stats.json its counts
_meta/dropped.parquet   one row a dropped candidate, `status` being the reason, `score` what was found wanting
_meta/pictures.parquet  of narrated video: what each picture looks like, in short, for sets made beside this one
README.md               the dataset card
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shards.card import Card
from shards.manifest import SIDE_NAME, Manifest, ShardEntry
from shards.sample import JSON_FIELDS, UNKNOWN

META_FOLDER = "_meta"
NAMES = frozenset({"sizes.json", "index.json", META_FOLDER, "README.md"})

Rows = Sequence[Mapping[str, Any]]

ARROW_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}
ROW_SCHEMA = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in JSON_FIELDS.items()])
DROPPED_SCHEMA = ROW_SCHEMA.append(pa.field("score", pa.float64()))


def write_shard_rows(folder: Path, entry: ShardEntry, rows: Rows) -> None:
    """The parquet and the stats of one shard, named by its number."""
    path = rows_path(folder, entry)
    _write_parquet(path, rows)
    stats = {"shard": entry.name, "split": entry.split, "count": entry.samples, "successes": entry.samples}
    stats |= {"bytes": entry.bytes, "videos": len({row["video_id"] for row in rows})}
    _write_json(path.with_name(f"{path.stem}_stats.json"), stats)


def rows_path(folder: Path, entry: ShardEntry) -> Path:
    """The parquet table of one shard."""
    return folder / META_FOLDER / f"{entry.name.removesuffix('.tar').rpartition('-')[2]}.parquet"


def write_set_files(folder: Path, manifest: Manifest, rows: Rows, dropped: Rows, *, card: Card) -> None:
    """All that describes the set as a whole, but the manifest."""
    scored = [{"score": UNKNOWN, **row} for row in dropped]
    _write_parquet(folder / META_FOLDER / "dropped.parquet", scored, DROPPED_SCHEMA)
    _write_json(folder / "sizes.json", {shard.name: shard.samples for shard in manifest.shards})
    _write_json(folder / "index.json", _wids_index(folder, manifest, card.title))
    (folder / "README.md").write_text(card.render(manifest, rows), encoding="utf-8")


def write_meta_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """What the maker of a set keeps beside its rows. Raises ValueError for a name that would lie elsewhere."""
    for name, content in files.items():
        if not SIDE_NAME.fullmatch(f"{META_FOLDER}/{name}"):
            raise ValueError(f"{name!r} cannot name a file of {META_FOLDER}.")
        (folder / META_FOLDER / name).write_bytes(content)


def _wids_index(folder: Path, manifest: Manifest, title: str) -> dict[str, Any]:
    shard_list = [
        {
            "url": shard.name,
            "md5sum": _md5(folder / shard.name),
            "nsamples": shard.samples,
            "filesize": shard.bytes,
        }
        for shard in manifest.shards
    ]
    return {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": title, "shardlist": shard_list}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema = ROW_SCHEMA) -> None:
    path.parent.mkdir(exist_ok=True)
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    pq.write_table(table, path, compression="zstd")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
