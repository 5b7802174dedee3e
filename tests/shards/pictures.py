"""Small samples made in code, no two alike, with captions that are hard on readers."""

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from shards.manifest import Manifest
from shards.sample import Kind, Sample
from shards.split import Split
from shards.writer import SetFacts, write_set

WIDTH, HEIGHT = 24, 16

CAPTIONS = (
    "a plain sentence",
    "línea uno\nline two\r\n\tand three",
    "emoji 👩🏽‍🚀🎬 and 漢字",
    "שלום עולם — مرحبا",
    'quotes " and \\ and {braces} and <b>',
    "nul \x00, line separator \u2028 and no-break\u00a0space",
)


def picture(number: int) -> bytes:
    """A JPEG of one colour that no other number below 4096 has."""
    colour = (16 * (number % 16) + 8, 16 * (number // 16 % 16) + 8, 16 * (number // 256 % 16) + 8)
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), colour).save(file, "JPEG", quality=95)
    return file.getvalue()


def sample(number: int, **known: Any) -> Sample:
    """A whole sample; of the first six in a set HF infers the types from, many texts are empty."""
    image = known.pop("image", None) or picture(number)
    values: dict[str, Any] = {
        "caption": f"{CAPTIONS[number % len(CAPTIONS)]} {number}",
        "video_id": f"video-{number // 2}",
        "width": WIDTH,
        "height": HEIGHT,
        "sha256": hashlib.sha256(image).hexdigest(),
        "frame_time": float(number) if number < 6 else number + 0.75,  # whole first, fractions later
        "title": "" if number < 6 else f"Title {number}",
        "license": "" if number < 6 else "CC BY",
        "language": "" if number < 6 else "en",
        "words": json.dumps([["a", 0.0, 0.5, 0.9]]),
    }
    return Sample.make(image=image, **(values | known))


def samples(first: int, count: int) -> list[Sample]:
    return [sample(number) for number in range(first, first + count)]


def lone(kind: Kind, first: int, count: int) -> list[Sample]:
    """Samples without text, or without picture; the first six are not annotated."""
    without: dict[str, Any] = {"caption": ""} if kind == "images" else {"width": 0, "height": 0, "sha256": ""}
    whole = [sample(n, **without, annotation="" if n < 6 else '{"label": 1}') for n in range(first, first + count)]
    return whole if kind == "images" else [dataclasses.replace(one, image=b"") for one in whole]


def splits() -> dict[Split, Sequence[Sample]]:
    """14 training, 4 val and 2 test samples; no video in two splits."""
    return {"train": samples(0, 14), "val": samples(14, 4), "test": samples(18, 2)}


def small_set(folder: Path, *, samples_per_shard: int = 4, facts: SetFacts | None = None) -> Manifest:
    """Shards of 4: four of train (the last of 2), one of val, one of test."""
    return write_set(folder, splits(), samples_per_shard=samples_per_shard, facts=facts)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in `folder`, by its path in it."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
