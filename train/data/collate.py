"""Samples of one batch to tensors. Decoding happens here, and only for the samples of this batch."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shards.codec import RawSample
from train.batch import Batch
from train.data.config import DataConfig
from train.data.order import Position
from train.data.stream import Read
from train.data.tokenizer import Tokenizer
from train.data.transforms import evaluation_pixels, training_pixels
from train.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Collate:
    """Turns the bytes of B samples into a Batch."""

    config: DataConfig
    tokenizer: Tokenizer
    seed: int
    training: bool  # augment the images

    def __call__(self, reads: Sequence[Read], after: Position) -> Batch:
        captions = tuple(caption_of(read.raw) for read in reads)
        pieces = self.tokenizer.encode(captions, self.config.text_length)
        facts = [_facts(read.raw) for read in reads]
        return Batch(
            images_BCSS=self._images(reads),
            tokens_BL=pieces.tokens_BL,
            real_BL=pieces.real_BL,
            begins_BL=pieces.begins_BL,
            videos_B=torch.tensor([fact.video for fact in facts]),
            align_B=torch.tensor([fact.align_score for fact in facts]),
            captions=captions,
            keys=tuple(read.raw.key for read in reads),
            after=(after,),
        )

    def _images(self, reads: Sequence[Read]) -> Tensor:
        images = []
        for read in reads:
            jpeg = _member(read.raw, "jpg")
            try:
                if self.training:
                    # The draw belongs to the sample's place in the order, not to the worker that decodes it.
                    seed = (self.seed, read.epoch, read.ordinal)
                    images.append(training_pixels(jpeg, self.config, seed=seed))
                else:
                    images.append(evaluation_pixels(jpeg, self.config))
            except DataError as error:
                raise DataError(f"Sample {read.raw.key}: {error}") from None
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def caption_of(raw: RawSample) -> str:
    """Raises DataError, with the sample's key, when it has none that can be read."""
    try:
        return _member(raw, "txt").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"The caption of sample {raw.key} is not UTF-8 ({error.reason} at byte {error.start}): "
            "check the set with 'harvest validate'."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a sample's JSON says that learning hangs on."""

    video: int  # 63 bits that name the video
    align_score: float


def _facts(raw: RawSample) -> _Facts:
    try:
        values = json.loads(_member(raw, "json"))
        video, align_score = str(values["video_id"]), float(values["align_score"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"The JSON of sample {raw.key} cannot be used ({error!r:.80}): check the set with 'harvest validate'."
        ) from None
    named = hashlib.blake2b(video.encode(), digest_size=8).digest()
    return _Facts(video=int.from_bytes(named) >> 1, align_score=align_score)


def _member(raw: RawSample, ending: str) -> bytes:
    if ending not in raw.members:
        raise DataError(f"Sample {raw.key} has no {ending} member: check the set with 'harvest validate'.")
    return raw.members[ending]
