"""Small pictures for the page: of kept pairs from the tars, of dropped ones from the work folder.

A picture that cannot be had is None: the page then shows its place empty. A torn tar is the set's damage and raises.
"""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from harvest.folder import BrokenRecord, VideoFolder
from harvest.records import Scenes
from harvest.report.tables import Row
from shards.index import index_tar
from shards.manifest import Manifest
from shards.reader import open_shard, read_samples

WIDTH, HEIGHT = 256, 192  # pixels at most
QUALITY = 60
MAX_PIXELS = 64 << 20  # of a picture that is opened at all


def from_tars(folder: Path, manifest: Manifest, rows: Iterable[Row]) -> dict[str, str]:
    """The pictures of these rows, by key. Raises CorruptShard for a tar that is torn or missing."""
    wanted = sorted({row.key for row in rows})
    found: dict[str, str] = {}
    for shard in manifest.shards:
        with open_shard(folder / shard.name) as file:
            index = index_tar(file, str(folder / shard.name))
            for raw in read_samples(file, index.only(np.isin(index.keys, wanted))):
                if picture := small(raw.members.get("jpg", b"")):
                    found[raw.key] = picture
    return found


def from_work(work: Path, rows: Iterable[Row]) -> dict[str, str]:
    """The pictures of these rows, by name, as far as the work folder still has them."""
    files: dict[str, dict[float, Path]] = {}
    found: dict[str, str] = {}
    for row in rows:
        if row.video_id not in files:
            files[row.video_id] = _frames(work, row.video_id)
        path = files[row.video_id].get(row.frame_time)
        if path is not None and path.is_file() and (picture := small(path.read_bytes())):
            found[row.name] = picture
    return found


def small(jpeg: bytes) -> str | None:
    """A picture as a small data: URL; None for what is no JPEG, or too large a one."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.draft("RGB", (2 * WIDTH, 2 * HEIGHT))
            shown = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    shown.thumbnail((WIDTH, HEIGHT))
    written = io.BytesIO()
    shown.save(written, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()


def _frames(work: Path, video_id: str) -> dict[float, Path]:
    """The pictures of a video in a work folder, by their time."""
    try:
        folder = VideoFolder(work, video_id)
        scenes = folder.load(Scenes).scenes
    except (BrokenRecord, ValueError):
        return {}
    return {frame.time: folder.path / frame.file for scene in scenes for frame in scene.frames}
