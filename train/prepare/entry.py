"""One sample to be, before its picture is read, and what every layout offers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shards.sample import Kind
from shards.split import Split

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a picture's bytes lie: in a file, or in a part of one."""

    path: Path
    offset: int = 0
    size: int | None = None  # bytes; None is the whole file


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a layout says of one sample."""

    id: str  # of the photo or document, which must be in one split only; becomes `video_id`
    split: Split | None  # None where the layout knows no splits
    caption: str = ""
    number: int = 0  # of the caption among those of this id
    pictures: tuple[Place, ...] = ()  # none in a set of texts; several are put side by side
    annotation: Mapping[str, Any] = field(default_factory=dict)  # JSON
    url: str = ""
    license: str = ""
    unfit: str = ""  # why it cannot be a sample, where that is known already


class Layout(Protocol):
    """Files as their makers lay them out."""

    @property
    def name(self) -> str: ...  # stands in `extractor`

    @property
    def title(self) -> str: ...

    @property
    def origin(self) -> str: ...  # a sentence for the card

    @property
    def kind(self) -> Kind: ...

    @property
    def language(self) -> str: ...  # two letters, "" for unknown

    @property
    def caption_source(self) -> str: ...

    def entries(self) -> Iterator[Entry]:
        """All there is, in an order that the files alone decide. Raises LayoutError."""
        ...
