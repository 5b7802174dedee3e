"""What sets tell each other of their pictures, so that none goes into two of them.

    set A -> _meta/*.parquet (ids), _meta/pictures.parquet (likenesses) -> harvest shard --beside A -> set B

No picture is opened: a likeness, of 44 bytes, says enough.
"""

import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from harvest.errors import RequestError
from harvest.filters.likeness import BLOCK_BYTES, KnownPictures, Likeness
from shards.manifest import Manifest
from shards.side_files import META_FOLDER, rows_path

logger = logging.getLogger(__name__)

PICTURES = "pictures.parquet"
SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("frame_time", pa.float64()),
        ("dhash", pa.string()),
        ("blocks", pa.binary()),  # mean colours of 3 x 4 blocks of the picture, RGB
    ]
)


class PictureRow(NamedTuple):
    """One kept picture, for other sets to know."""

    video_id: str
    frame_time: float
    likeness: Likeness


class OtherSets:
    """The videos and pictures of sets that are there already."""

    def __init__(self, folders: Sequence[Path], *, out: Path) -> None:
        """Read the side files of the sets in `folders`. Raises RequestError if one is `out`, or cannot be read, and
        ShardsError if one is no set."""
        self.digests: list[str] = []
        self.videos: set[str] = set()
        self.pictures = KnownPictures()
        for folder in folders:
            if folder.resolve() == out.resolve():
                raise RequestError(f"{out} cannot be beside itself: nothing would be left. Choose another --out.")
            self._read(folder)

    def _read(self, folder: Path) -> None:
        manifest = Manifest.load(folder)
        self.digests.append(manifest.digest)
        try:
            for shard in manifest.shards:
                self.videos |= {*pq.read_table(rows_path(folder, shard), columns=["video_id"])["video_id"].to_pylist()}
            self._read_pictures(folder / META_FOLDER / PICTURES)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise RequestError(
                f"The side files of {folder} cannot be read ({' '.join(str(error).split())}), so what it holds is not "
                f"known: 'harvest validate {folder}' tells more."
            ) from None

    def _read_pictures(self, path: Path) -> None:
        if not path.is_file():
            logger.warning("%s is missing: of that set only the videos are left out, not like pictures.", path)
            return
        columns = pq.read_table(path, columns=["dhash", "blocks"], schema=SCHEMA).to_pydict()
        for dhash, blocks in zip(columns["dhash"], columns["blocks"], strict=True):
            if len(blocks) != BLOCK_BYTES:
                raise ValueError(f"{path.name} has a row of {len(blocks)} bytes, not {BLOCK_BYTES}")
            self.pictures.add(Likeness(int(dhash, 16), blocks))


def picture_table(rows: Iterable[PictureRow]) -> bytes:
    """The content of `_meta/pictures.parquet`."""
    values = [
        {"video_id": video, "frame_time": time, "dhash": f"{likeness.dhash:016x}", "blocks": likeness.blocks}
        for video, time, likeness in rows
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(values, schema=SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()
