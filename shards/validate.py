"""Checking a set against its own manifest, as a stranger who trusts nothing in it."""

import hashlib
import io
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

from shards.codec import RawSample, decode
from shards.errors import CorruptShard, ShardsError
from shards.manifest import Manifest, ShardEntry
from shards.reader import read_shard
from shards.sample import Kind, Sample
from shards.side_files import rows_path
from shards.writer import file_digest

MAX_PIXELS = 1 << 26  # 8192 x 8192; a key frame is a fraction of that


@dataclass(slots=True)
class _Seen:
    """What the set says of itself, and what has been met so far, for the checks that span shards."""

    kind: Kind
    keys: set[str] = field(default_factory=set)
    splits_of_video: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def validate(folder: Path) -> Iterator[tuple[ShardEntry, list[str]]]:
    """Check shard after shard: digest, keys, counts, records, decodable frames, disjoint splits.

    Yields each shard with its problems, one sentence each; none means sound. Raises ShardsError if there is
    no manifest to check against.
    """
    manifest = Manifest.load(folder)
    seen = _Seen(kind=manifest.kind)
    for shard in manifest.shards:
        yield shard, [*_check_shard(folder, shard, seen)]


def check_folder(folder: Path) -> list[str]:
    """Problems of the set as a whole: tars nobody listed, side files that disagree with the manifest."""
    manifest = Manifest.load(folder)
    counts = {shard.name: shard.samples for shard in manifest.shards}
    unlisted = [path.name for path in sorted(folder.glob("*.tar")) if path.name not in counts]
    problems = [f"{name} is not in the manifest." for name in unlisted]
    problems += _check_side_files(folder, manifest)
    problems += _check_counts(folder / "sizes.json", counts, "open_clip")
    problems += _check_counts(folder / "index.json", counts, "wids")
    problems += _check_rows(folder, manifest)
    return problems


def _check_side_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    for name, digest in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif file_digest(path) != digest:
            yield f"{name} has another SHA-256 than the manifest says: its bytes have changed."


def _check_counts(path: Path, counts: dict[str, int], reader: str) -> Iterator[str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "index.json":
            values = {shard["url"]: shard["nsamples"] for shard in values["shardlist"]}
    except (OSError, ValueError, RecursionError, LookupError, TypeError) as error:
        yield f"{path.name} cannot be read, and {reader} needs it: {error}."
    else:
        if values != counts:
            yield f"{path.name} does not agree with the manifest, so {reader} would miscount."


def _check_rows(folder: Path, manifest: Manifest) -> Iterator[str]:
    """The parquet tables, and the manifest's number of videos by them."""
    videos: dict[str, set[Any]] = {split: set() for split in manifest.videos}
    for shard in manifest.shards:
        path = rows_path(folder, shard)
        try:
            ids = pq.read_table(path, columns=["video_id"])["video_id"].to_pylist()
        except (OSError, ValueError, LookupError) as error:
            yield f"{path.name} cannot be read: {' '.join(str(error).split())}."
            return
        if len(ids) != shard.samples:
            yield f"{path.name} has {len(ids)} rows, the manifest gives {shard.name} {shard.samples} samples."
        videos.setdefault(shard.split, set()).update(ids)
    if {split: len(ids) for split, ids in videos.items()} != manifest.videos:
        yield "The manifest's numbers of videos are not those of the parquet tables."


def _check_shard(folder: Path, shard: ShardEntry, seen: _Seen) -> Iterator[str]:
    path = folder / shard.name
    if not path.is_file():
        yield f"{shard.name} is missing."
        return
    if path.stat().st_size != shard.bytes:
        yield f"{shard.name} has {path.stat().st_size} bytes, the manifest says {shard.bytes}."
    if file_digest(path) != shard.sha256:
        yield f"{shard.name} has another SHA-256 than the manifest says: its bytes have changed."
    count = 0
    try:
        for raw in read_shard(path):
            count += 1
            yield from _check_sample(raw, shard, seen)
    except CorruptShard as error:
        yield str(error)
    if count != shard.samples:
        yield f"{shard.name} holds {count} samples, the manifest says {shard.samples}."


def _check_sample(raw: RawSample, shard: ShardEntry, seen: _Seen) -> Iterator[str]:
    where = f"{shard.name}, sample {raw.key}"
    if raw.key in seen.keys:
        yield f"{where}: the key occurs twice in the set."
    seen.keys.add(raw.key)
    try:
        sample = decode(raw)
    except ShardsError as error:
        yield f"{shard.name}: {error}"
        return
    if sample.split != shard.split:
        yield f"{where} says it belongs to split {sample.split!r}."
    splits = seen.splits_of_video[sample.video_id]
    splits.add(shard.split)
    if len(splits) > 1:
        yield f"{where}: video {sample.video_id!r} is in several splits ({', '.join(sorted(splits))})."
    yield from _check_kind(sample, seen.kind, where)
    if sample.image:
        yield from _check_picture(sample, where)


def _check_kind(sample: Sample, kind: Kind, where: str) -> Iterator[str]:
    if kind == "images" and sample.caption:
        yield f"{where} has a caption in a set of images alone."
    if kind != "images" and not sample.caption.strip():
        yield f"{where} has an empty caption."
    if kind == "texts" and sample.image:
        yield f"{where} has a picture in a set of texts alone."
    if kind != "texts" and not sample.image:
        yield f"{where} has no picture."


def _check_picture(sample: Sample, where: str) -> Iterator[str]:
    if hashlib.sha256(sample.image).hexdigest() != sample.sha256:
        yield f"{where}: the picture's SHA-256 is not the one in its record."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is below Pillow's
            picture = Image.open(io.BytesIO(sample.image), formats=["JPEG"])
        if picture.size != (sample.width, sample.height):
            yield f"{where}: the picture is {picture.size}, its record says {sample.width} x {sample.height}."
        if picture.width * picture.height > MAX_PIXELS:
            yield f"{where}: the picture has {picture.width} x {picture.height} pixels, over the limit."
        else:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        yield f"{where}: the picture cannot be decoded ({error})."
