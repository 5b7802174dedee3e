"""Sets as others write them: open_clip's and img2dataset's tars, without a manifest."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, kind: str = "JPEG") -> bytes:
    """An image of one grey, 8 * number + 4."""
    stored = io.BytesIO()
    Image.fromarray(np.full((50, 60, 3), 8 * number + 4, np.uint8)).save(stored, kind)
    return stored.getvalue()


def write_tar(path: Path, samples: Sequence[Mapping[str, bytes]], *, first: int = 0) -> Path:
    """Each sample a member for each ending, as img2dataset names them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number, sample in enumerate(samples, start=first):
            for ending, content in sample.items():
                member = tarfile.TarInfo(f"{number:09d}.{ending}")
                member.size, member.mtime = len(content), 1.5  # a broken second needs a header of its own
                archive.addfile(member, io.BytesIO(content))
    return path


def pair(number: int, ending: str = "jpg") -> dict[str, bytes]:
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}[ending]
    record = json.dumps({"caption": f"grey {number}", "url": "https://example.org/a.jpg", "width": None})
    return {ending: picture(number, kind), "txt": f"grey {number}".encode(), "json": record.encode()}
