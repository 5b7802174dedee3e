"""Any folder of pictures, without text: a set of images, for training that mixes in what has no caption.

ROOT/anything/at/all.jpg       ROOT/train/..., val/..., test/... are taken for splits
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shards.sample import Kind
from train.prepare.entry import SPLIT_NAMES, Entry, Place
from train.prepare.files import expect_folder, pictures_below


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Pictures alone."""

    root: Path

    name: ClassVar[str] = "images"
    title: ClassVar[str] = "Pictures"
    origin: ClassVar[str] = "Pictures without text."
    kind: ClassVar[Kind] = "images"
    language: ClassVar[str] = ""
    caption_source: ClassVar[str] = ""

    def entries(self) -> Iterator[Entry]:
        expect_folder(self.root, holds="pictures")
        for path in pictures_below(self.root):
            inner = path.relative_to(self.root)
            split = SPLIT_NAMES.get(inner.parts[0].lower()) if len(inner.parts) > 1 else None
            name = inner.as_posix()
            yield Entry(id=f"images-{name}", split=split, pictures=(Place(path=path),), url=f"file:{name}")
