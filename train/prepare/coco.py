"""MS COCO captions: the official files, or Karpathy's splits of the 2014 pictures.

    ROOT/annotations/captions_train2017.json   captions_val2017.json
    ROOT/train2017/000000391895.jpg            val2017/...

The official test part has no captions, so that set has a train and a val split only: val is never called test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from shards.sample import Kind
from shards.split import Split
from train.errors import LayoutError
from train.prepare.entry import Entry, Place
from train.prepare.files import expect_folder, first_file, inside, read_json
from train.prepare.karpathy import karpathy_entries

OFFICIAL: tuple[Split, ...] = ("train", "val")


@dataclass(frozen=True, slots=True, kw_only=True)
class _License:
    id: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    id: int
    file_name: str
    coco_url: str = ""
    license: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caption:
    id: int
    image_id: int
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    images: list[_Image]
    annotations: list[_Caption]
    licenses: list[_License] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coco:
    """The pictures of one year, five captions each."""

    root: Path
    year: str = "2017"
    karpathy: Path | None = None  # dataset_coco.json; None is the official splits

    name: ClassVar[str] = "coco"
    title: ClassVar[str] = "MS COCO captions"
    origin: ClassVar[str] = "Photos of everyday scenes, each described by five people (MS COCO captions)."
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = "en"
    caption_source: ClassVar[str] = "human"

    def entries(self) -> Iterator[Entry]:
        expect_folder(self.root, holds="annotations and pictures of MS COCO")
        if self.karpathy:
            yield from karpathy_entries(self.karpathy, self.root, lambda image: coco_id(image.cocoid))
            return
        folders = [self.root / "annotations", self.root]
        found = {split: first_file(folders, f"captions_{split}{self.year}.json") for split in OFFICIAL}
        if not any(found.values()):
            raise LayoutError(
                f"There is neither captions_train{self.year}.json nor captions_val{self.year}.json in {folders[0]}: "
                "COCO's annotations are expected there; --year and --karpathy name others."
            )
        for split, file in found.items():
            if file is not None:
                yield from self._official(file, split)

    def _official(self, file: Path, split: Split) -> Iterator[Entry]:
        what = "COCO's captions"
        content = read_json(file, _File, what=what)
        folder = expect_folder(self.root / f"{split}{self.year}", holds=f"the pictures of {file.name}")
        images = {image.id: image for image in content.images}
        licenses = {one.id: one.name for one in content.licenses}
        for caption in content.annotations:
            image = images.get(caption.image_id)
            if image is None:
                raise LayoutError(f"{file} has a caption of picture {caption.image_id}, which it does not list.")
            yield Entry(
                id=coco_id(image.id),
                split=split,
                caption=caption.caption,
                number=caption.id,
                pictures=(Place(path=inside(folder, image.file_name, named_in=file)),),
                url=image.coco_url or f"file:{image.file_name}",
                license=licenses.get(image.license, ""),
            )


def coco_id(number: int) -> str:
    """The same in all sets made of COCO's pictures, so that what one of them trains on can be kept out of another."""
    return f"coco-{number:012d}"
