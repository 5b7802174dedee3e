"""Tars without a manifest, named by a pattern: which there are, and how many samples lie in each.

They may be anybody's, as open_clip and img2dataset take and write them. Their headers are read once; what was found
is noted in `tar-counts.json`, and holds as long as a tar's size and time (or ETag) are the same.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.errors import CorruptShard
from shards.index import TarIndex
from shards.manifest import ShardEntry
from shards.sample import Kind
from shards.store import Store
from train.data.braces import expanded
from train.data.indexes import Indexes, keep
from train.errors import DataError

logger = logging.getLogger(__name__)

NOTES = "tar-counts.json"
_EVERY = 100  # tars between two lines of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Tars:
    """What a pattern has found."""

    kind: Kind
    shards: tuple[ShardEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """Of one tar."""

    version: str
    bytes: int  # of what is worth reading
    pairs: int
    images: int  # with or without a text
    texts: int
    all: int


def is_pattern(path: str) -> bool:
    return path.endswith(".tar") or any(sign in path for sign in "*?[{")


def count_tars(store: Store, pattern: str, *, cache: Path | None, skip: bool = False) -> Tars:
    """The tars that `pattern` names, all of them of split `train`. Raises DataError when they hold nothing.

    One that is torn or missing is a CorruptShard, or with `skip` counted as empty.
    """
    names = [*dict.fromkeys(_expanded(store, pattern))]  # alternatives may name one tar twice
    counts = _counted(store, names, cache, skip=skip)
    kind = _kind([*counts.values()])
    if kind is None:
        raise DataError(f"{store.path(pattern)} holds no samples: {len(names)} tars have neither pictures nor texts.")
    samples = {name: _of_kind(count, kind) for name, count in counts.items()}
    left_out = sum(count.all for count in counts.values()) - sum(samples.values())
    logger.info(
        "%s: %d tars, %d %s%s. They have no splits, so all is trained on.",
        store.path(pattern),
        len(names),
        sum(samples.values()),
        kind,
        f", and {left_out} samples that lack a part and are left out" if left_out else "",
    )
    shards = tuple(
        ShardEntry(name=name, split="train", samples=samples[name], bytes=counts[name].bytes, sha256="")
        for name in names
    )
    return Tars(kind=kind, shards=shards)


def fitting(index: TarIndex, kind: Kind) -> NDArray[np.bool_]:
    """(N,): the samples that have what `kind` has. A caption may stand in the record instead."""
    pictured, worded = index.having("jpg"), index.having("txt", "json")
    return {"pairs": pictured & worded, "images": pictured, "texts": worded}[kind]


def _expanded(store: Store, pattern: str) -> Iterator[str]:
    found = False
    for part in expanded(pattern):
        names = store.glob(part) if any(sign in part for sign in "*?[") else [part]
        yield from names
        found |= bool(names)
    if not found:
        raise DataError(f"No tar is found by {store.path(pattern)}: give a folder with a manifest, or another pattern.")


def _counted(store: Store, names: list[str], cache: Path | None, *, skip: bool) -> dict[str, _Count]:
    noted, counts = _noted(cache), {}
    for number, name in enumerate(names):
        try:
            counts[name] = _of_tar(store, name, cache, noted)
        except CorruptShard as error:
            if not skip:
                raise
            logger.warning("%s It is left out (data.corrupt=skip).", error)
            counts[name] = _Count(version="", bytes=0, pairs=0, images=0, texts=0, all=0)
        if number and number % _EVERY == 0:
            logger.info("%d of %d tars counted", number, len(names))
    if cache is not None:
        _note(cache, noted | {store.path(name): count for name, count in counts.items() if count.version})
    return counts


def _of_tar(store: Store, name: str, cache: Path | None, noted: dict[str, _Count]) -> _Count:
    version, count = store.version(name), noted.get(store.path(name))
    if count is not None and count.version == version:
        return count
    return _count(Indexes(store=store, cache=cache).of(name), version)


def _count(index: TarIndex, version: str) -> _Count:
    return _Count(
        version=version,
        bytes=int(index.spans[..., 1].sum()),
        pairs=int(fitting(index, "pairs").sum()),
        images=int(fitting(index, "images").sum()),
        texts=int(fitting(index, "texts").sum()),
        all=len(index),
    )


def _kind(counts: list[_Count]) -> Kind | None:
    """Pairs if there are any, else what there is most of."""
    pairs, images, texts = (sum(getattr(count, name) for count in counts) for name in ("pairs", "images", "texts"))
    if pairs:
        return "pairs"
    return None if not images + texts else "images" if images >= texts else "texts"


def _of_kind(count: _Count, kind: Kind) -> int:
    return {"pairs": count.pairs, "images": count.images, "texts": count.texts}[kind]


def _noted(cache: Path | None) -> dict[str, _Count]:
    if cache is None or not (cache / NOTES).is_file():
        return {}
    try:
        stored: dict[str, Any] = json.loads((cache / NOTES).read_text(encoding="utf-8"))
        return {str(path): _Count(**values) for path, values in stored.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        logger.warning("%s cannot be read, so the tars are counted again.", cache / NOTES)
        return {}


def _note(cache: Path, counts: dict[str, _Count]) -> None:
    text = json.dumps({path: asdict(count) for path, count in counts.items()}, indent=0)
    keep(cache / NOTES, lambda partial: partial.write_text(text, encoding="utf-8"))
