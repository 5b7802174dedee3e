"""Text without pictures: a document or caption a line, in .txt, .jsonl, or either with .gz.

A file called train, val (valid, dev) or test is that split; of others, a hash of the text decides, so that what stands
there twice is in one split.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from shards.sample import Kind
from train.errors import LayoutError
from train.prepare.entry import SPLIT_NAMES, Entry

ENDINGS = (".txt", ".jsonl")
MAX_LINE_BYTES = 1 << 20
FIELDS = ("text", "caption")  # looked for, in this order, where none is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Texts alone."""

    files: Sequence[Path]
    field: str = ""  # of a JSON line; "" is text or caption

    name: ClassVar[str] = "text"
    title: ClassVar[str] = "Texts"
    origin: ClassVar[str] = "Texts without pictures."
    kind: ClassVar[Kind] = "texts"
    language: ClassVar[str] = ""
    caption_source: ClassVar[str] = ""

    def entries(self) -> Iterator[Entry]:
        for path in self.files:
            stem, ending = _named(path)
            split = SPLIT_NAMES.get(stem.lower())
            for number, line in enumerate(_lines(path), start=1):
                text, unfit = _decoded(line)
                if ending == ".jsonl" and text:
                    text = self._of_json(text, where=f"{path}, line {number},")
                if text or unfit:
                    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]
                    yield Entry(
                        id=f"text-{split}-{digest}" if split else f"text-{digest}",
                        split=split,
                        caption=text,
                        url=f"file:{path.name}#{number}",
                        unfit=unfit,
                    )

    def _of_json(self, line: str, *, where: str) -> str:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise LayoutError(f"{where} is not JSON, and a .jsonl file has one JSON value a line.") from None
        for name in (self.field,) if self.field else FIELDS:
            if isinstance(value, dict) and isinstance(value.get(name), str):
                return str(value[name]).strip()
        if isinstance(value, str):
            return value.strip()
        names = repr(self.field) if self.field else " or ".join(FIELDS)
        raise LayoutError(f"{where} has no text in its field {names}: --field names the one that holds it.")


def _named(path: Path) -> tuple[str, str]:
    """A file's name without endings, and what it holds. Raises LayoutError for another ending."""
    inner = path.with_suffix("") if path.suffix == ".gz" else path
    if inner.suffix not in ENDINGS:
        raise LayoutError(f"{path} is neither .txt nor .jsonl (nor .gz of these): a text a line is expected.")
    if not path.is_file():
        raise LayoutError(f"There is no file {path}: a text a line is expected there.")
    return inner.stem, inner.suffix


def _lines(path: Path) -> Iterator[bytes | None]:
    """Each line; None for one that is too long to be held."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
        file = cast(BinaryIO, opened)
        try:
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) <= MAX_LINE_BYTES:
                    yield line
                    continue
                yield None
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise LayoutError(f"{path} is torn or not a gzip file ({error}).") from None


def _decoded(line: bytes | None) -> tuple[str, str]:
    """The text of a line, and why it is not fit to be one."""
    if line is None:
        return "", "too_long"
    try:
        return line.decode("utf-8-sig").strip(), ""
    except UnicodeDecodeError:
        return "", "not_utf8"
