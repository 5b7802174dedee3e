"""The members of a tar, found by its headers alone: their bytes are passed over, and read only by who wants them.

Plain, pax and GNU long-name headers are understood, as webdataset, img2dataset, tar and Python write them. Sizes are
bounded and the file is read forwards only, so a tar made to lead astray leads nowhere.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from shards.errors import CorruptShard

BLOCK = 512
MAX_EXTENSION_BYTES = 1 << 16  # of a pax header or a long name
_ZEROS = bytes(BLOCK)
_FILE, _EXTENDED, _GLOBAL, _LONG_NAME, _LONG_LINK = b"0\0", ord("x"), ord("g"), ord("L"), ord("K")
_WITHOUT_CONTENT = b"123456"  # links, devices, folders, pipes


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of the tar."""

    name: str
    offset: int  # of its first byte
    size: int  # bytes


@dataclass(slots=True)
class _Said:
    """What extended headers have said of the member that comes next."""

    name: str | None = None
    size: int | None = None
    kinds: bytes = b""


def walk(file: BinaryIO, where: str) -> Iterator[Member]:
    """The regular files in `file`, in order. Raises CorruptShard, naming `where`, for a tar that is torn or damaged."""
    offset, said = 0, _Said()
    while (header := _read(file, offset, BLOCK)) != _ZEROS:
        kind, size = _checked(header, offset, where), _number(header[124:136], where)
        content = offset + BLOCK
        if kind in _FILE:
            size = size if said.size is None else said.size
            yield Member(_name(header) if said.name is None else said.name, content, size)
            said = _Said()
        elif kind in _WITHOUT_CONTENT:
            size, said = 0, _Said()
        elif kind in (_EXTENDED, _LONG_NAME):
            said = _extended(said, kind, _extension(file, content, size, where), where)
        elif kind not in (_GLOBAL, _LONG_LINK):
            raise CorruptShard(f"{where} holds a member of an unknown kind after {offset} bytes.")
        offset = content + -(-size // BLOCK) * BLOCK
    _expect_end(file, offset, where)


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    try:
        file.seek(offset)
    except (OverflowError, ValueError):  # further than an offset can say
        return b""
    return file.read(size)


def _checked(header: bytes, offset: int, where: str) -> int:
    """The kind of a member whose header is whole."""
    field = header[148:156]  # the sum of the header's bytes, with this field itself taken as eight spaces
    try:
        # The low half of Adler-32 is one more than that sum modulo 65521: many times faster than adding up here.
        found = (zlib.adler32(header) & 0xFFFF) - 1 - sum(field) + 8 * ord(" ")
        whole = len(header) == BLOCK and (int(field.strip(b" \0"), 8) - found) % 65521 == 0
    except ValueError:
        whole = False
    if whole:
        return header[156]
    raise CorruptShard(f"{where} is torn or damaged after {offset} bytes.")


def _number(field: bytes, where: str) -> int:
    """A size, in octal digits or, with the first bit set, as a binary number."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:])
    digits = field.strip(b" \0") or b"0"
    if not digits.isdigit() or b"8" in digits or b"9" in digits:  # int() would take a sign
        raise CorruptShard(f"{where} holds a member whose size is not a number.")
    return int(digits, 8)


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    if header[345] and header[257:263] == b"ustar\0":
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    return name.decode("utf-8", errors="surrogateescape")


def _extension(file: BinaryIO, offset: int, size: int, where: str) -> bytes:
    if size > MAX_EXTENSION_BYTES:
        raise CorruptShard(f"{where} holds an extended header of {size} bytes, over {MAX_EXTENSION_BYTES}.")
    return _read(file, offset, size)


def _extended(said: _Said, kind: int, content: bytes, where: str) -> _Said:
    """`said`, and what this header says."""
    if kind in said.kinds:
        raise CorruptShard(f"{where} holds two extended headers for one member.")
    name, size = said.name, said.size
    if kind == _LONG_NAME:
        name = content.rstrip(b"\0").decode("utf-8", errors="surrogateescape")
    for key, value in _records(content, where) if kind == _EXTENDED else ():
        if key == b"path":
            name = value.decode("utf-8", errors="surrogateescape")
        elif key == b"size":
            if not value.isdigit():
                raise CorruptShard(f"{where} holds a member with the size {value[:20]!r}.")
            size = int(value[:20])
    return _Said(name=name, size=size, kinds=said.kinds + bytes([kind]))


def _records(content: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """A pax header's lines "LENGTH KEY=VALUE\\n", the length counting all of the line."""
    while content:
        length, space, _ = content[:20].partition(b" ")
        end = int(length) if length.isdigit() else 0
        key, equals, value = content[len(length) + 1 : end - 1].partition(b"=")
        if not (space and equals) or not len(length) + 2 < end <= len(content) or content[end - 1 : end] != b"\n":
            raise CorruptShard(f"{where} holds an extended header that cannot be read.")
        yield key, value
        content = content[end:]


def _expect_end(file: BinaryIO, offset: int, where: str) -> None:
    """After the end there are only zeros: a header that is blanked is not taken for it."""
    file.seek(offset + BLOCK)
    while last := file.read(1 << 20):
        if any(last):
            raise CorruptShard(f"{where} is torn or damaged after {offset} bytes.")
