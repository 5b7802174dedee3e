"""`train prepare`: a layout's files in, a shard set out.

layout.entries() -> plan -> samples, picture by picture -> shards.writer, which replaces the set whole or not at all
"""

import hashlib
import importlib.metadata
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shards.manifest import Manifest
from shards.sample import Sample
from shards.split import SPLITS
from shards.writer import SetFacts, write_set
from train.errors import RequestError
from train.prepare.entry import Layout
from train.prepare.plan import BySplit, plan
from train.prepare.samples import Recipe, Samples
from train.prepare.store import Store

logger = logging.getLogger(__name__)

MIN_SIZE = 16  # pixels


class PrepareView(Protocol):
    """Who is shown the work as it goes on."""

    def wrote(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What one may choose for every layout."""

    size: int = 0  # pixels of the short side at most; 0 keeps pictures as they are
    unsplit: BySplit = "hash"  # the split of what the layout gives none
    samples_per_shard: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was written, and some of what was not."""

    manifest: Manifest
    dropped: list[dict[str, Any]]


def prepare(layout: Layout, out: Path, options: PrepareOptions, view: PrepareView) -> Prepared:
    """Write the set of `layout` into `out`. Raises LayoutError, and RequestError for options that make no sense."""
    if options.size and options.size < MIN_SIZE:
        raise RequestError(
            f"--size {options.size} leaves nothing to see: 0 keeps pictures as they are, or {MIN_SIZE} up."
        )
    planned = plan(layout, options.unsplit)
    settings = _settings(layout, options)
    with tempfile.TemporaryFile(dir=_existing(out)) as waiting:
        recipe = Recipe(kind=layout.kind, common=_common(layout, settings))
        samples = Samples(planned, recipe, Store(waiting, size=options.size))
        progress = _Progress(view, planned.total)
        manifest = write_set(
            out,
            {split: progress.through(samples.of(split)) for split in SPLITS},
            samples_per_shard=options.samples_per_shard,
            facts=SetFacts(
                title=layout.title,
                kind=layout.kind,
                origin=layout.origin,
                version=_version(),
                dropped=samples.dropped,
                settings=settings,
            ),
        )
    _warn_of_doubled(samples)
    return Prepared(manifest=manifest, dropped=samples.dropped)


def _warn_of_doubled(samples: Samples) -> None:
    for split, count in samples.doubled.items():
        logger.warning(
            "Samples of %s that show, byte for byte, a picture of train: %d. They are kept, for the splits are not "
            "ours to change, but their scores say little.",
            split,
            count,
        )


def _settings(layout: Layout, options: PrepareOptions) -> dict[str, Any]:
    """What shapes the set, without paths: the same files elsewhere give the same bytes."""
    return {"prepare": {"layout": layout.name, "size": options.size, "unsplit": options.unsplit}}


def _common(layout: Layout, settings: dict[str, Any]) -> dict[str, Any]:
    canonical = json.dumps(settings, sort_keys=True)
    return {
        "extractor": layout.name,
        "language": layout.language,
        "caption_source": layout.caption_source,
        "harvest_version": _version(),
        "config_sha": hashlib.sha256(canonical.encode()).hexdigest()[:16],
    }


def _version() -> str:
    return importlib.metadata.version("harvest-train")


def _existing(folder: Path) -> Path:
    """The nearest folder above that is there: on the disk where the set will be, which has the room."""
    return next(parent for parent in folder.absolute().parents if parent.is_dir())


class _Progress:
    """Counts samples on their way to the writer."""

    def __init__(self, view: PrepareView, total: int) -> None:
        self._view = view
        self._total = total
        self._done = 0

    def through(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        for sample in samples:
            yield sample
            self._done += 1
            self._view.wrote(self._done, self._total)
