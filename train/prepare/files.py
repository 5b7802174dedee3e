"""Reading a layout's own files: a file that is missing or of another shape is told in one sentence."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from train.errors import LayoutError
from train.prepare.entry import PICTURE_ENDINGS

Shape = TypeVar("Shape")


def first_file(folders: list[Path], *names: str) -> Path | None:
    """The first of `names` that is a file in one of `folders`."""
    return next((folder / name for name in names for folder in folders if (folder / name).is_file()), None)


def expect_folder(folder: Path, *, holds: str) -> Path:
    if not folder.is_dir():
        raise LayoutError(f"There is no folder {folder}: {holds} are expected there.")
    return folder


def read_json(path: Path, shape: type[Shape], *, what: str) -> Shape:
    """The JSON of `path` as a dataclass or list of such; what it holds beside is passed over.

    `what` names the file's content in the error's sentence.
    """
    return parse_json(_content(path, what), shape, where=str(path), what=what)


def parse_json(content: bytes, shape: type[Shape], *, where: str, what: str) -> Shape:
    try:
        return TypeAdapter(shape).validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        reason = f"{place}: {problem['msg']}" if place else problem["msg"]
        raise LayoutError(f"{where} is not {what} as expected there ({reason}).") from None


def read_lines(path: Path, *, what: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1."""
    try:
        text = _content(path, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(f"{path} is not UTF-8 text (byte {error.start}), and {what} are expected there.") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def inside(folder: Path, name: str, *, named_in: Path) -> Path:
    """The file `name` of `folder`. Raises LayoutError for a name that leads out of it."""
    parts = PurePosixPath(name)
    if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\x00" in name:
        raise LayoutError(
            f"{named_in} names the picture {name[:100]!r}, which would lie outside of {folder}: nothing is read there."
        )
    return folder / parts


def pictures_below(folder: Path) -> Iterator[Path]:
    """Every picture in `folder` and its folders, in order; what is hidden is passed over, links to folders too."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in PICTURE_ENDINGS and not name.startswith("."):
                yield Path(place) / name


def _content(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise LayoutError(f"There is no file {path}: {what} is expected there.")
    return path.read_bytes()
