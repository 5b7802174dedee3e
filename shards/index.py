"""Where each sample of a tar lies: keys, and offset and size of its picture, record and caption.

Samples are grouped as webdataset does it: neighbours whose names are equal up to the first dot. Other people's tars
are understood, too: a picture may be jpg, jpeg, png or webp. Everything else in a tar is passed over.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from shards.codec import MAX_MEMBER_BYTES, MEMBERS, RawSample
from shards.errors import CorruptShard
from shards.headers import Member, walk

_SPLIT = re.compile(r"((?:.*/)?[^.]+)\.([^/]*)", re.DOTALL)  # as webdataset's base_plus_ext
_PICTURES = {"jpg": "jpg", "jpeg": "jpg", "png": "jpg", "webp": "jpg"}
_SLOTS = {ending: MEMBERS.index(_PICTURES.get(ending, ending)) for ending in (*MEMBERS, *_PICTURES)}
ABSENT = -1
MAX_NAME = 1000  # characters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TarIndex:
    """The samples of one tar, in order."""

    keys: NDArray[np.str_]  # (N,)
    spans: NDArray[np.int64]  # (N, 3, 2): offset and size of each of MEMBERS; offset ABSENT where there is none

    def __len__(self) -> int:
        return len(self.keys)

    def having(self, *members: str) -> NDArray[np.bool_]:
        """(N,): which samples have any of `members`."""
        slots = [MEMBERS.index(member) for member in members]
        there: NDArray[np.bool_] = (self.spans[:, slots, 0] != ABSENT).any(axis=1)
        return there

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "TarIndex":
        return TarIndex(keys=self.keys[chosen], spans=self.spans[chosen])

    def without_pictures(self) -> "TarIndex":
        spans = self.spans.copy()
        spans[:, MEMBERS.index("jpg")] = (ABSENT, 0)
        return TarIndex(keys=self.keys, spans=spans)

    def save(self, path: Path) -> None:
        """Into a file whose name ends in .npz."""
        np.savez(path, keys=self.keys, spans=self.spans)

    @classmethod
    def load(cls, path: Path) -> "TarIndex | None":
        """None where there is none that can be used."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                keys, spans = stored["keys"], stored["spans"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        sound = keys.dtype.kind == "U" and spans.dtype == np.int64 and spans.shape == (len(keys), len(MEMBERS), 2)
        return cls(keys=keys, spans=spans) if sound else None


def index_tar(file: BinaryIO, where: str) -> TarIndex:
    """Raises CorruptShard, naming `where`, when the tar in `file` is torn, malformed or has members over the limits."""
    keys, rows = [], []
    for key, row in _samples(walk(file, where), where):
        keys.append(key)
        rows.append(row)
    spans = np.asarray(rows, np.int64).reshape(len(rows), len(MEMBERS), 2)
    return TarIndex(keys=np.asarray(keys, np.str_), spans=spans)


def raw_sample(key: str, row: NDArray[np.int64], content: memoryview, start: int) -> RawSample:
    """The sample whose members lie in `content`, which begins at `start` of the tar."""
    places = zip(MEMBERS, row.tolist(), strict=True)
    members = {
        name: bytes(content[offset - start : offset - start + size]) for name, (offset, size) in places if offset >= 0
    }
    return RawSample(key=key, members=members)


def bounds(spans: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Of samples' spans (N, 3, 2): the first byte of each one's members, and the byte after the last."""
    offsets, sizes = spans[..., 0], spans[..., 1]
    there = offsets != ABSENT
    ends = np.where(there, offsets + sizes, 0).max(axis=1, initial=0)
    starts = np.where(there, offsets, ends[:, None]).min(axis=1)
    return [*zip(starts.tolist(), ends.tolist(), strict=True)]


Row = list[tuple[int, int]]


def _samples(members: Iterable[Member], where: str) -> Iterator[tuple[str, Row]]:
    key, row, pictured = None, _empty(), ""
    for member in members:
        if (found := _SPLIT.fullmatch(member.name)) is None or (ending := found[2].lower()) not in _SLOTS:
            continue
        _check(member, ending, where)
        if found[1] != key:
            if key is not None:
                yield key, row
            key, row, pictured = found[1], _empty(), ""
        slot = _SLOTS[ending]
        if row[slot][0] == ABSENT:
            row[slot] = (member.offset, member.size)
            pictured = ending if ending in _PICTURES else pictured
        elif ending == pictured or ending not in _PICTURES:  # another kind of picture of the same is passed over
            raise CorruptShard(f"{where} holds {member.name:.200} twice.")
    if key is not None:
        yield key, row


def _empty() -> Row:
    return [(ABSENT, 0)] * len(MEMBERS)


def _check(member: Member, ending: str, where: str) -> None:
    limit = MAX_MEMBER_BYTES[_PICTURES.get(ending, ending)]
    # Names reach messages, and so terminals; and all keys take as much memory as the longest.
    if not member.name.isprintable() or len(member.name) > MAX_NAME:
        raise CorruptShard(
            f"{where} holds a member whose name cannot be shown, or is over {MAX_NAME} long: {member.name!r:.200}."
        )
    if member.size > limit:
        raise CorruptShard(f"Member {member.name!r:.200} of {where} has {member.size} bytes, not 0 to {limit}.")
