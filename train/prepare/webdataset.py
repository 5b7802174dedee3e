"""Tars as open_clip and img2dataset use them: a picture and, under the same name, a txt or json with its caption.

    00000.tar:  000000012.jpg  000000012.txt  000000012.json      patterns: data/{00000..00099}.tar, data/*.tar

Only local files are read, one pass over the headers first; pictures are read where they lie, in the order of the new
set. A caption is the txt, or the json's `caption` or `text`; url and license are taken from the json.
"""

import glob
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from braceexpand import braceexpand

from shards.sample import Kind
from train.errors import LayoutError
from train.prepare.entry import Entry, Place

PICTURES = ("jpg", "jpeg", "png", "webp")
MAX_TEXT_BYTES = 1 << 20
MALFORMED = (tarfile.TarError, ValueError, EOFError, OverflowError, MemoryError, RecursionError)


@dataclass(slots=True, kw_only=True)
class _Group:
    """Adjacent members of one name."""

    key: str
    picture: Place | None = None
    texts: dict[str, bytes] = field(default_factory=dict)  # by ending


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDataset:
    """Pairs in tars."""

    patterns: Sequence[str]

    name: ClassVar[str] = "webdataset"
    title: ClassVar[str] = "Pictures and captions"
    origin: ClassVar[str] = "Pictures and captions from a set in WebDataset form."
    kind: ClassVar[Kind] = "pairs"
    language: ClassVar[str] = ""
    caption_source: ClassVar[str] = "web"

    def entries(self) -> Iterator[Entry]:
        for path in expanded(self.patterns):
            try:
                for group in _groups(path):
                    yield _entry(path, group)
            except MALFORMED as error:
                raise LayoutError(
                    f"{path} cannot be read as a tar ({error}): an uncompressed one is expected."
                ) from None


def expanded(patterns: Sequence[str]) -> list[Path]:
    """The files that braces and stars stand for, each once. Raises LayoutError for a pattern that finds none."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        if ":" in pattern.split("/")[0]:
            raise LayoutError(
                f"{pattern[:100]} is not a local path, and only local tars are read: download them first."
            )
        parts = braceexpand(pattern)
        names = [name for part in parts for name in sorted(glob.glob(part)) or [part]]  # noqa: PTH207  absolute or not
        missing = [name for name in names if not Path(name).is_file()]
        if missing or not names:
            raise LayoutError(f"There is no file {missing[0] if missing else pattern}: tars are expected there.")
        found |= dict.fromkeys(map(Path, names))
    return [*found]


def _groups(path: Path) -> Iterator[_Group]:
    size = path.stat().st_size
    group: _Group | None = None
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        end = 0
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps every header it has met
            if archive.offset <= end or member.offset_data + member.size > size:
                raise LayoutError(f"{path} is torn or damaged after {end} bytes: fetch it again, or leave it out.")
            end = archive.offset
            key, ending = _split_name(member.name)
            if group is not None and group.key != key:
                yield group
                group = None
            if member.isreg() and member.sparse is None:
                group = group or _Group(key=key)
                _add(group, ending, member, path, archive)
        file.seek(archive.offset)
        if any(file.read(tarfile.BLOCKSIZE)):  # at a broken header tarfile stops as if the archive ended there
            raise LayoutError(f"{path} is damaged after {end} bytes: fetch it again, or leave it out.")
    if group is not None:
        yield group


def _split_name(name: str) -> tuple[str, str]:
    """`a/b.c.jpg` to `a/b` and `c.jpg`: at the first dot, as webdataset does."""
    folder, slash, base = name.rpartition("/")
    stem, _, ending = base.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _add(group: _Group, ending: str, member: tarfile.TarInfo, path: Path, archive: tarfile.TarFile) -> None:
    if ending in PICTURES and group.picture is None:
        group.picture = Place(path=path, offset=member.offset_data, size=member.size)
    elif ending in ("txt", "json") and member.size <= MAX_TEXT_BYTES:
        content = archive.extractfile(member)
        assert content is not None  # a regular file has content
        group.texts[ending] = content.read()


def _entry(path: Path, group: _Group) -> Entry:
    record = _record(group.texts.get("json", b"{}"))
    caption = group.texts["txt"].decode(errors="replace") if "txt" in group.texts else _caption(record)
    here = f"{path.absolute().parent.name}/{path.stem}/{group.key}"
    return Entry(
        id=_text(record, "video_id") or f"webdataset-{here}",  # a set of ours keeps its videos together
        split=None,
        caption=caption,
        number=int(group.key) if group.key.isdecimal() and len(group.key) < 16 else 0,
        pictures=(group.picture,) if group.picture else (),
        url=_text(record, "url") or f"file:{here}",
        license=_text(record, "license"),
        unfit="" if group.picture else "no_picture",
    )


def _record(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _caption(record: dict[str, Any]) -> str:
    return _text(record, "caption") or _text(record, "text")


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""
