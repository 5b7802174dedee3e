"""Other people's loaders over the same pictures, each as its documentation would have it used.

A contender makes one pass over the set: every picture decoded and scaled to a square, every caption given to the same
tokenizer or left alone. What it needs beforehand is made when the contender is made, outside of what is timed.
"""

import gc
import importlib
import importlib.util
import inspect
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from train.data.config import DataConfig
from train.data.square import visible_box
from train.data.tokenizer import Tokenizer
from train.data.transforms import evaluation_pixels

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every contender has to do."""

    folder: Path  # of the shard set
    samples: int
    config: DataConfig
    tokenizer: Tokenizer | None  # None leaves captions alone
    workers: int

    def tokens(self, captions: Iterable[str]) -> Tensor:
        """Of a batch's captions."""
        if self.tokenizer is None:
            return torch.zeros(0)
        return self.tokenizer.encode([*captions], self.config.text_length).tokens_BL

    def pixels(self, image: Image.Image) -> Tensor:
        """What a user of PIL writes to get the same square."""
        image, side = image.convert("RGB"), self.config.image_size
        box = visible_box(image.size, self.config.fit)
        return torch.from_numpy(np.array(image.resize((side, side), Image.Resampling.BILINEAR, box=box)))

    def our_pixels(self, stored: bytes) -> Tensor:
        """By the decoder of `train`: what is left is the loader's own cost."""
        return torch.from_numpy(np.ascontiguousarray(evaluation_pixels(stored, self.config)))


Pass = Callable[[], int]
"""Makes one pass, and returns how many images came out."""


def open_clip(job: Job) -> Pass:
    """Its trainer's own pipeline over the same tars, shuffled as it does by default."""
    importlib.import_module("train.models.layers")  # makes torchvision importable beside a CPU-only torch
    from open_clip_train import data
    from open_clip_train.params import parse_args

    if "eof_value" in inspect.signature(data.tar_file_expander).parameters and not hasattr(data, "_eof_handled"):
        # Written for webdataset 0.2.86; later versions mark a shard's end with an empty dict, which stops it.
        data.tar_file_expander, data._eof_handled = partial(data.tar_file_expander, eof_value=None), True
    tars = sorted(path.name for path in job.folder.glob("train-*.tar"))
    pattern = f"{job.folder}/train-{{{tars[0][6:11]}..{tars[-1][6:11]}}}.tar"
    args = parse_args(
        ["--dataset-type", "webdataset", "--train-data", pattern, f"--batch-size={BATCH}", f"--workers={job.workers}"]
    )
    args.distributed, args.rank, args.world_size = False, 0, 1  # its main() sets these
    info = data.get_wds_dataset(args, job.pixels, is_train=True, tokenizer=lambda text: [job.tokens([text])])

    def run() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            seen = sum(len(images) for images, _ in info.dataloader)
            gc.collect()  # webdataset leaves its files to the garbage collector
        return seen

    return run


def hugging_face(job: Job, *, our_decoder: bool = False) -> Pass:
    """`load_dataset(..., streaming=True)` over the same tars, shuffled through its buffer."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset("webdataset", data_files=str(job.folder / "train-*.tar"), streaming=True)["train"]
    loaded = loaded.cast_column("jpg", datasets.Image(decode=not our_decoder)).shuffle(seed=3, buffer_size=1000)

    def made(rows: list[dict[str, Any]]) -> tuple[Tensor, Tensor]:
        images = [job.our_pixels(row["jpg"]["bytes"]) if our_decoder else job.pixels(row["jpg"]) for row in rows]
        return torch.stack(images), job.tokens(row["txt"] for row in rows)

    loader = torch.utils.data.DataLoader(loaded, batch_size=BATCH, num_workers=job.workers, collate_fn=made)
    return lambda: sum(len(images) for images, _ in loader)


def litdata(job: Job, *, our_decoder: bool = False) -> Pass:
    """Its own chunks of the same JPEGs and captions, shuffled."""
    import litdata as package

    def made(rows: list[dict[str, Any]]) -> tuple[Tensor, Tensor]:
        if our_decoder:
            images = [job.our_pixels(row["jpg"]) for row in rows]
        else:
            images = [job.pixels(Image.open(io.BytesIO(row["jpg"]))) for row in rows]
        return torch.stack(images), job.tokens(row["txt"] for row in rows)

    data = package.StreamingDataset(str(_chunks(job.folder)), shuffle=True)
    loader = package.StreamingDataLoader(data, batch_size=BATCH, num_workers=job.workers, collate_fn=made)
    return lambda: sum(len(images) for images, _ in loader)


def prepare(folder: Path) -> None:
    """litdata's own chunks of the set, beside it; nothing where it is not installed."""
    if importlib.util.find_spec("litdata") is None:
        return
    os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = tempfile.mkdtemp(dir=folder.parent)
    os.environ["DATA_OPTIMIZER_DATA_CACHE_FOLDER"] = tempfile.mkdtemp(dir=folder.parent)
    import litdata as package

    inputs = [str(path) for path in sorted(folder.glob("train-*.tar"))]
    package.optimize(fn=_pairs, inputs=inputs, output_dir=str(_chunks(folder)), num_workers=1, chunk_bytes="64MB")


def _chunks(folder: Path) -> Path:
    return folder.with_name("litdata")


def _pairs(tar: str) -> Iterable[dict[str, Any]]:
    from shards.reader import read_shard

    for raw in read_shard(Path(tar)):
        yield {"jpg": raw.members["jpg"], "txt": raw.members["txt"].decode()}
