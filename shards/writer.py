"""Writing a set: tars first, side files next, the manifest last, and the folder takes its name only when whole.

    samples of each split -> train-00000.tar ... val-00007.tar, test-00008.tar -> side files -> manifest.json

Everything is written into a temporary folder beside the target and renamed at the end, so a killed run leaves
the old set as it was. Equal input gives equal bytes: members have mtime 0, the order is the caller's.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from shards import side_files
from shards.card import Card
from shards.codec import encode
from shards.manifest import MANIFEST_NAME, Manifest, ShardEntry
from shards.replacing import replacing
from shards.sample import Kind, Sample, json_values, with_place
from shards.split import SPLITS, Split

MAX_SAMPLES_PER_SHARD = 10_000  # a key has four digits for the place in its shard


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What is known of a set beside its samples."""

    title: str = "Narrated video"
    kind: Kind = "pairs"
    origin: str = ""  # for the card: a sentence on where the samples come from; "" is narrated video
    version: str = ""  # of the software
    # Rows of JSON fields, `status` being the reason, and perhaps a `score`. Read when the last sample is written: may
    # grow until then.
    dropped: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    meta_files: Mapping[str, bytes] = field(default_factory=dict)  # further files of _meta/, by name


def write_set(
    out: Path,
    splits: Mapping[Split, Iterable[Sample]],
    *,
    samples_per_shard: int = 1000,
    facts: SetFacts | None = None,
) -> Manifest:
    """Write the samples of `splits` as a set into `out`, replacing a set that is there.

    Keys and splits are assigned here; splits are read in the order train, val, test, one picture in memory at a time.
    Raises CannotWrite if `out` holds anything but a shard set, and ValueError if `samples_per_shard` is not in
    1..10,000, for an unknown split, a value JSON cannot hold, or a sample that lacks what the set's kind has.
    """
    if not 1 <= samples_per_shard <= MAX_SAMPLES_PER_SHARD:
        raise ValueError(f"samples_per_shard={samples_per_shard} must be between 1 and {MAX_SAMPLES_PER_SHARD}.")
    if unknown := set(splits) - set(SPLITS):
        raise ValueError(f"There is no split {sorted(unknown)[0]!r}: samples go to {', '.join(SPLITS)}.")
    facts = facts or SetFacts()
    settings = json.loads(
        json.dumps(dict(facts.settings), sort_keys=True, allow_nan=False)
    )  # equal settings, equal bytes
    with replacing(out, owned=side_files.NAMES | {MANIFEST_NAME}) as folder:
        written = [*_write_tars(folder, splits, samples_per_shard, facts.kind)]
        rows = [row for _, shard_rows in written for row in shard_rows]
        manifest = _manifest([entry for entry, _ in written], rows, dataclasses.replace(facts, settings=settings))
        for (_, shard_rows), entry in zip(written, manifest.shards, strict=True):
            side_files.write_shard_rows(folder, entry, shard_rows)
        card = Card(title=facts.title, origin=facts.origin)
        side_files.write_set_files(folder, manifest, rows, facts.dropped, card=card)
        side_files.write_meta_files(folder, facts.meta_files)
        manifest = dataclasses.replace(manifest, files=_side_digests(folder))
        (folder / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _write_tars(
    folder: Path, splits: Mapping[Split, Iterable[Sample]], samples_per_shard: int, kind: Kind
) -> Iterator[tuple[ShardEntry, list[dict[str, Any]]]]:
    """The tars one after another, numbered through the whole set so that no key occurs twice in it."""
    number = 0
    for split in SPLITS:
        samples = iter(splits.get(split, ()))
        while (first := next(samples, None)) is not None:
            chunk = chain([first], islice(samples, samples_per_shard - 1))
            placed = (
                with_place(_of_kind(kind, sample), key=f"{number:05d}{place:04d}", split=split)
                for place, sample in enumerate(chunk)
            )
            yield _write_tar(folder / f"{split}-{number:05d}.tar", placed, split)
            number += 1


def _of_kind(kind: Kind, sample: Sample) -> Sample:
    """`sample`, if it has a picture where all have one and a text where all have one: other readers count on it."""
    if bool(sample.image) != (kind != "texts"):
        raise ValueError(f"A sample of {sample.video_id} {'has a' if sample.image else 'lacks its'} picture: {kind}.")
    if sample.caption and kind == "images":
        raise ValueError(f"A sample of {sample.video_id} has a caption, in a set of images alone.")
    return sample


def _write_tar(path: Path, samples: Iterable[Sample], split: Split) -> tuple[ShardEntry, list[dict[str, Any]]]:
    from webdataset.writer import TarWriter  # pulls in torch where that is installed

    rows = []
    with path.open("wb") as file, TarWriter(file, encoder=False, mtime=0) as tar:
        for sample in samples:
            raw = encode(sample)
            tar.write({"__key__": raw.key, **raw.members})
            rows.append(json_values(sample))
    size, digest = path.stat().st_size, file_digest(path)
    return ShardEntry(name=path.name, split=split, samples=len(rows), bytes=size, sha256=digest), rows


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _side_digests(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".tar"]
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in paths}


def _manifest(shards: list[ShardEntry], rows: list[dict[str, Any]], facts: SetFacts) -> Manifest:
    videos: dict[str, int] = {
        split: len({row["video_id"] for row in rows if row["split"] == split}) for split in SPLITS
    }
    reasons = sorted(str(row["status"]) for row in facts.dropped)
    return Manifest(
        kind=facts.kind,
        version=facts.version,
        shards=tuple(shards),
        files={},  # not yet written
        videos=videos,
        dropped={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
        settings=dict(facts.settings),
    )
