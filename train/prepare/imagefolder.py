"""A folder a class, as torchvision and others lay pictures out: the class's name is the caption, and the label kept.

    ROOT/[train|val|test/]golden_retriever/1.jpg      annotation = {"label": 3, "class": "golden_retriever"}

Labels number the classes' names in order, over all splits. Without folders of splits a hash of the file decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shards.sample import Kind
from shards.split import Split
from train.errors import LayoutError
from train.prepare.entry import SPLIT_NAMES, Entry, Place
from train.prepare.files import expect_folder, pictures_below


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Pictures sorted into folders."""

    root: Path

    name: ClassVar[str] = "imagefolder"
    title: ClassVar[str] = "Pictures by class"
    origin: ClassVar[str] = "Pictures sorted into classes; the caption is the name of the class."
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = ""
    caption_source: ClassVar[str] = "class name"

    def entries(self) -> Iterator[Entry]:
        expect_folder(self.root, holds="folders of pictures, one a class,")
        classes = [(split, folder) for split, parent in _parents(self.root) for folder in _folders(parent)]
        if not classes:
            raise LayoutError(
                f"{self.root} holds no folders: one for each class is expected there, or train/, val/, test/."
            )
        labels = {name: label for label, name in enumerate(sorted({folder.name for _, folder in classes}))}
        for split, folder in classes:
            for path in pictures_below(folder):
                inner = path.relative_to(self.root).as_posix()
                yield Entry(
                    id=f"imagefolder-{inner}",
                    split=split,
                    caption=folder.name.replace("_", " "),
                    pictures=(Place(path=path),),
                    annotation={"label": labels[folder.name], "class": folder.name},
                    url=f"file:{inner}",
                )


def _parents(root: Path) -> list[tuple[Split | None, Path]]:
    """The folders that hold the classes' folders, with their split."""
    splits: list[tuple[Split | None, Path]] = [
        (SPLIT_NAMES[folder.name.lower()], folder) for folder in _folders(root) if folder.name.lower() in SPLIT_NAMES
    ]
    return splits or [(None, root)]


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
