"""Karpathy's files dataset_coco.json, dataset_flickr8k.json and dataset_flickr30k.json: the splits papers report on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shards.split import Split
from train.errors import LayoutError
from train.prepare.entry import Entry, Place
from train.prepare.files import inside, read_json

SPLITS: dict[str, Split] = {"train": "train", "restval": "train", "val": "val", "test": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    filename: str
    split: str
    sentences: list[Sentence]
    filepath: str = ""  # the folder of COCO's pictures
    cocoid: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    images: list[Image]


def karpathy_entries(file: Path, images: Path, id_of: Callable[[Image], str]) -> Iterator[Entry]:
    """An entry a sentence. Its val and test are kept apart; `restval` is training data, as everywhere."""
    for image in read_json(file, _File, what="one of Karpathy's dataset_*.json").images:
        if image.split not in SPLITS:
            raise LayoutError(f"{file} has a split {image.split[:40]!r}: train, restval, val and test are expected.")
        name = f"{image.filepath}/{image.filename}" if image.filepath else image.filename
        place = Place(path=inside(images, name, named_in=file))
        for number, sentence in enumerate(image.sentences):
            yield Entry(
                id=id_of(image),
                split=SPLITS[image.split],
                caption=sentence.raw,
                number=number,
                pictures=(place,),
                url=f"file:{image.filename}",
            )
