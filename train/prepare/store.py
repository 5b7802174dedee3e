"""A layout's pictures by their places, each judged and encoded once, however many captions it has.

A picture kept byte for byte is read again where it lies. One that was encoded anew waits in a nameless file on the
disk, so that memory does not grow with the pictures.
"""

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO

from train.prepare.entry import Place
from train.prepare.pictures import MAX_BYTES, Picture, Unusable, stored

Places = tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was made of a picture, and where its JPEG is."""

    picture: Picture  # its jpeg left out
    start: int  # in the waiting file; -1 where the source's own bytes serve
    bytes: int


class Store:
    """Pictures to be stored in a set."""

    def __init__(self, waiting: BinaryIO, *, size: int) -> None:
        self._waiting = waiting
        self._size = size
        self._known: dict[Places, _Known | Unusable] = {}

    def picture(self, places: Places, *, again: bool) -> Picture:
        """The picture at `places`, to be asked for once more if `again`. Raises Unusable."""
        known = self._known.get(places)
        if isinstance(known, Unusable):
            raise known
        if known is not None and (recalled := self._recalled(places, known)):
            return recalled
        try:
            contents = [_read(place) for place in places]
            picture = stored(contents, size=self._size)
        except Unusable as reason:
            self._known[places] = reason
            raise
        if again:
            self._known[places] = self._kept(picture, changed=picture.jpeg != contents[0])
        return picture

    def _kept(self, picture: Picture, *, changed: bool) -> _Known:
        start = self._waiting.seek(0, os.SEEK_END) if changed else -1
        if changed:
            self._waiting.write(picture.jpeg)
        return _Known(picture=dataclasses.replace(picture, jpeg=b""), start=start, bytes=len(picture.jpeg))

    def _recalled(self, places: Places, known: _Known) -> Picture | None:
        """None if the source has changed meanwhile."""
        if known.start < 0:
            jpeg = _read(places[0])
        else:
            self._waiting.seek(known.start)
            jpeg = self._waiting.read(known.bytes)
        same = hashlib.sha256(jpeg).hexdigest() == known.picture.sha256
        return dataclasses.replace(known.picture, jpeg=jpeg) if same else None


def _read(place: Place) -> bytes:
    if not place.path.is_file():  # a pipe would be waited for
        raise Unusable("missing")
    size = place.path.stat().st_size if place.size is None else place.size
    if size > MAX_BYTES:
        raise Unusable("too_many_bytes")
    with place.path.open("rb") as file:
        file.seek(place.offset)
        return file.read(size)
