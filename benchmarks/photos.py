"""Sets of made photographs for measuring loaders: textures of several scales, stored as a camera's JPEGs would be."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from shards.sample import Sample
from shards.writer import write_set

WIDTH, HEIGHT, QUALITY = 480, 360, 85
SPEECH = "now we take the red thread and pull it slowly through the first loop so that nothing slips while you turn"
DIFFERENT = 200  # pictures; sets of more repeat them


def write_photos(folder: Path, count: int, *, samples_per_shard: int = 250) -> list[bytes]:
    """A set of `count` training pairs in `folder`; returns its pictures, in order."""
    different = [photo(number) for number in range(min(DIFFERENT, count))]
    pictures = [different[number % len(different)] for number in range(count)]
    write_set(folder, {"train": _samples(pictures)}, samples_per_shard=samples_per_shard)
    return pictures


def photo(number: int) -> bytes:
    """A JPEG of about 30 kB, the same one for the same number."""
    random = np.random.default_rng(number)
    picture = np.full((HEIGHT, WIDTH, 3), 128.0)
    for width, height, strength in ((8, 6, 0.8), (32, 24, 0.4), (160, 120, 0.2)):
        coarse = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        picture += strength * (np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float64) - 128)
    picture += random.normal(0, 2, (HEIGHT, WIDTH, 1))
    stored = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(stored, "JPEG", quality=QUALITY)
    return stored.getvalue()


def caption(number: int) -> str:
    """Some twelve spoken words."""
    random = np.random.default_rng(number)
    return " ".join(str(word) for word in random.choice(SPEECH.split(), size=random.integers(8, 17)))


def _samples(pictures: list[bytes]) -> Iterator[Sample]:
    for number, picture in enumerate(pictures):
        yield Sample.make(
            image=picture, caption=caption(number), video_id=f"made-{number // 20}", width=WIDTH, height=HEIGHT
        )
