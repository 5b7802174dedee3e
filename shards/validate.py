"""Checking a set against its own manifest, as a stranger who trusts nothing in it."""

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from shards.codec import decode
from shards.errors import ShardsError
from shards.manifest import Manifest, ShardEntry
from shards.reader import read_shard
from shards.sample import Sample
from shards.writer import file_digest

MAX_PIXELS = 1 << 26  # 8192 x 8192; a key frame is a fraction of that


@dataclass(slots=True)
class _Seen:
    """What has been met so far, for the checks that span shards."""

    keys: set[str] = field(default_factory=set)
    splits_of_video: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def validate(folder: Path) -> Iterator[tuple[ShardEntry, list[str]]]:
    """Check shard after shard: digest, keys, counts, records, decodable frames, disjoint splits.

    Yields each shard with its problems, one sentence each; none means sound. Raises ShardsError if there is
    no manifest to check against.
    """
    manifest = Manifest.load(folder)
    seen = _Seen()
    for shard in manifest.shards:
        yield shard, _check_shard(folder, shard, seen)


def check_folder(folder: Path) -> list[str]:
    """Problems of the set as a whole: tars nobody listed, side files that disagree with the manifest."""
    manifest = Manifest.load(folder)
    counts = {shard.name: shard.samples for shard in manifest.shards}
    problems = [
        f"{path.name} is not in the manifest." for path in sorted(folder.glob("*.tar")) if path.name not in counts
    ]
    try:
        if json.loads((folder / "sizes.json").read_text(encoding="utf-8")) != counts:
            problems.append("sizes.json does not agree with the manifest, so open_clip would miscount.")
    except (OSError, ValueError) as error:
        problems.append(f"sizes.json cannot be read: {error}.")
    return problems


def _check_shard(folder: Path, shard: ShardEntry, seen: _Seen) -> list[str]:
    path = folder / shard.name
    if not path.is_file():
        return [f"{shard.name} is missing."]
    problems = []
    if file_digest(path) != shard.sha256:
        problems.append(f"{shard.name} has another SHA-256 than the manifest says: its bytes have changed.")
    count = 0
    try:
        for raw in read_shard(path):
            count += 1
            problems += _check_sample(decode(raw), shard, seen)
    except ShardsError as error:
        problems.append(str(error))
    if count != shard.samples:
        problems.append(f"{shard.name} holds {count} readable samples, the manifest says {shard.samples}.")
    return problems


def _check_sample(sample: Sample, shard: ShardEntry, seen: _Seen) -> Iterator[str]:
    where = f"{shard.name}, sample {sample.key}"
    if sample.key in seen.keys:
        yield f"{where}: the key occurs twice in the set."
    seen.keys.add(sample.key)
    if sample.split != shard.split:
        yield f"{where} says it belongs to split {sample.split!r}."
    splits = seen.splits_of_video[sample.video_id]
    splits.add(shard.split)
    if len(splits) > 1:
        yield f"{where}: video {sample.video_id} is in several splits ({', '.join(sorted(splits))})."
    if not sample.caption.strip():
        yield f"{where} has an empty caption."
    if hashlib.sha256(sample.image).hexdigest() != sample.sha256:
        yield f"{where}: the picture's SHA-256 is not the one in its record."
    yield from _check_picture(sample, where)


def _check_picture(sample: Sample, where: str) -> Iterator[str]:
    try:
        with Image.open(io.BytesIO(sample.image), formats=["JPEG"]) as picture:
            if picture.size != (sample.width, sample.height):
                yield f"{where}: the picture is {picture.size}, its record says {sample.width} x {sample.height}."
            if picture.width * picture.height > MAX_PIXELS:
                yield f"{where}: the picture has {picture.width} x {picture.height} pixels, over the limit."
            else:
                picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        yield f"{where}: the picture cannot be decoded ({error})."
