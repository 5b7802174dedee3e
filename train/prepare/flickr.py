"""Flickr8k and Flickr30k: their own token files, the csv files of their copies, or Karpathy's splits.

    Flickr8k.token.txt, results_20130124.token     1000268201_693b08cb0e.jpg#0<TAB>A child in a pink dress ...
    captions.txt (csv)                             image,caption
    results.csv (bars)                             image_name| comment_number| comment
    Flickr_8k.trainImages.txt, .devImages.txt, .testImages.txt      a file name a line

Without lists of splits a hash of the photo decides. Photos that the official lists leave out are left out.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from shards.sample import Kind
from shards.split import Split
from train.errors import LayoutError
from train.prepare.entry import Entry, Place
from train.prepare.files import expect_folder, first_file, inside, read_lines
from train.prepare.karpathy import karpathy_entries

CAPTION_FILES = (
    *("Flickr8k.token.txt", "captions.txt", "results_20130124.token", "results.csv"),
    *("Flickr30k.token.txt", "flickr30k.token"),
)
IMAGE_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images", "flickr30k-images", "flickr30k_images")
LISTS: dict[Split, str] = {"train": "train", "val": "dev", "test": "test"}  # as the files call them

TOKEN_LINE = re.compile(r"(?P<image>[^#\t]+)#(?P<number>\d+)\t(?P<caption>.*)")
BAR_LINE = re.compile(
    r"(?P<image>[^|]+)\|\s*(?P<number>\d+)\s*\|?(?P<caption>.*)"
)  # one line of results.csv lacks a bar

Line = tuple[str, str]  # picture, caption


@dataclass(frozen=True, slots=True, kw_only=True)
class Flickr:
    """Photos of people and animals, five captions each."""

    root: Path
    captions: Path | None = None  # None looks for a file of a known name
    images: Path | None = None
    karpathy: Path | None = None  # dataset_flickr8k.json or dataset_flickr30k.json

    name: ClassVar[str] = "flickr"
    title: ClassVar[str] = "Flickr captions"
    origin: ClassVar[str] = "Photos from Flickr, each described by five people (Flickr8k or Flickr30k)."
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = "en"
    caption_source: ClassVar[str] = "human"

    def entries(self) -> Iterator[Entry]:
        images = self._images()
        if self.karpathy:
            yield from karpathy_entries(self.karpathy, images, lambda image: flickr_id(image.filename))
            return
        file = self.captions or first_file(self._folders(), *CAPTION_FILES)
        if file is None:
            names = ", ".join(CAPTION_FILES)
            raise LayoutError(
                f"{self.root} holds no captions: one of {names} is expected there, or named by --captions."
            )
        splits = self._splits()
        numbers: Counter[str] = Counter()
        for name, caption in read_captions(file):
            split = splits.get(name)
            yield Entry(
                id=flickr_id(name),
                split=split,
                caption=caption,
                number=numbers[name],
                pictures=(Place(path=inside(images, name, named_in=file)),),
                url=f"file:{name}",
                unfit="no_split" if splits and split is None else "",
            )
            numbers[name] += 1

    def _folders(self) -> list[Path]:
        return [self.root, self.root / "Flickr8k_text", self.root / "annotations"]

    def _images(self) -> Path:
        expect_folder(self.root, holds="captions and pictures of Flickr8k or Flickr30k")
        if self.images:
            return expect_folder(self.images, holds="the pictures")
        for name in IMAGE_FOLDERS:
            for folder in (self.root / name / name, self.root / name):  # archives of archives
                if folder.is_dir():
                    return folder
        raise LayoutError(f"{self.root} holds none of {', '.join(IMAGE_FOLDERS)}: the pictures are expected there.")

    def _splits(self) -> dict[str, Split]:
        """The official split of each picture; empty where there are no lists."""
        splits: dict[str, Split] = {}
        for split, called in LISTS.items():
            file = first_file(self._folders(), f"Flickr_8k.{called}Images.txt", f"{called}_images.txt")
            for _, name in read_lines(file, what="file names of pictures") if file else ():
                if splits.setdefault(name.strip(), split) != split:
                    raise LayoutError(f"{file} names {name.strip()[:100]!r}, which another split's list names too.")
        return splits


def flickr_id(name: str) -> str:
    """The number of the photo on Flickr, which is the same in both sets; of another name, the name."""
    stem = PurePosixPath(name).stem
    number = re.fullmatch(r"(\d{5,})_[0-9a-f]{8,}", stem)
    return f"flickr-{number[1] if number else stem}"


def read_captions(file: Path) -> Iterator[Line]:
    """Each line's picture and caption. Raises LayoutError for a line of neither form."""
    lines = read_lines(file, what="lines of a picture's name and a caption")
    first = next(lines, (1, ""))[1].replace(" ", "").lower()
    if first.startswith("image,caption"):
        yield from _comma_lines(file)
    else:
        yield from _matching_lines(file, BAR_LINE if first.startswith("image_name|") else TOKEN_LINE)


def _comma_lines(file: Path) -> Iterator[Line]:
    rows = csv.reader(line for _, line in read_lines(file, what="lines of a csv file"))
    next(rows)  # the head
    for number, row in enumerate(rows, start=2):
        if len(row) < 2:
            raise LayoutError(f"{file}, row {number}, has no caption: image,caption is expected there.")
        yield row[0].strip(), ",".join(row[1:]).strip()  # some copies do not quote commas


def _matching_lines(file: Path, form: re.Pattern[str]) -> Iterator[Line]:
    for number, line in read_lines(file, what="lines of a picture's name and a caption"):
        if number == 1 and form is BAR_LINE:
            continue  # the head
        match = form.fullmatch(line)
        if not match:
            expected = "name.jpg| 0| caption" if form is BAR_LINE else "name.jpg#0<TAB>caption"
            raise LayoutError(f"{file}, line {number}, is {line[:60]!r}: {expected} is expected there.")
        yield match["image"].strip(), match["caption"].strip()
