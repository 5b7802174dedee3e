"""Samples of one batch to tensors. Decoding happens here, and only for the samples of this batch."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pydantic_core
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from shards.codec import RawSample
from train.batch import Batch
from train.data.config import DataConfig
from train.data.damage import Damage, OnDamage, refuse
from train.data.order import Position
from train.data.source import Source
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

    def __call__(self, reads: Sequence[Read], after: tuple[Position, ...], met: OnDamage = refuse) -> Batch:
        """`reads` come as a batch has its rows: pairs, then texts, then images.

        Where `met` does not raise, the next sound sample stands in for one that cannot be used, or where nothing may
        stand in the batch has a row less.
        """
        images_BCSS = _empty_images(len(reads), self.config.image_size)
        found = self._facts(reads, images_BCSS, met)
        if None in found:
            sound = [row for row, fact in enumerate(found) if fact is not None]
            reads, images_BCSS = [reads[row] for row in sound], images_BCSS[sound]
        facts = [fact for fact in found if fact is not None]
        captions = tuple(fact.caption for fact in facts)
        pieces = self.tokenizer.encode(captions, self.config.text_length)
        return Batch(
            images_BCSS=images_BCSS,
            tokens_BL=pieces.tokens_BL,
            real_BL=pieces.real_BL,
            begins_BL=pieces.begins_BL,
            videos_B=torch.tensor([fact.video for fact in facts]),
            align_B=torch.tensor([fact.align_score for fact in facts]),
            captions=captions,
            keys=tuple(fact.key for fact in facts),
            after=after,
            lone_texts=sum(read.source.kind == "texts" for read in reads),
            lone_images=sum(read.source.kind == "images" for read in reads),
            replaced=sum(read.replaced or fact.stands_in for read, fact in zip(reads, facts, strict=True)),
        )

    def _facts(self, reads: Sequence[Read], images_BCSS: Tensor, met: OnDamage) -> "list[_Facts | None]":
        """What the samples say, their images being left in `images_BCSS`; None for one that is left out."""
        # All of one thing, then all of the other: decoding between the small steps makes each of them twice as slow.
        found = [self._tried(read, met) for read in reads]
        facts: list[_Facts | None] = []
        for read, said, image_CSS in zip(reads, found, images_BCSS, strict=True):
            try:
                if said is not None:
                    self._decode(read, read.raw, image_CSS)
            except DataError as error:
                met(_damage(read, error))
                said = None
            facts.append(said or (self._stand_in(read, image_CSS) if read.instead else None))
        return facts

    def _tried(self, read: Read, met: OnDamage) -> "_Facts | None":
        try:
            return _facts_of(read.raw, read.source)
        except DataError as error:
            met(_damage(read, error))
            return None

    def _stand_in(self, read: Read, image_CSS: Tensor) -> "_Facts":
        for raw in read.instead() if read.instead else ():
            try:
                said = _facts_of(raw, read.source)
                self._decode(read, raw, image_CSS)
            except DataError:
                continue  # told of in its own place
            return replace(said, stands_in=True)
        raise DataError(f"No sample near {read.raw.key:.200} of {read.source.name} can be used: check the set.")

    def _decode(self, read: Read, raw: RawSample, image_CSS: Tensor) -> None:
        if read.source.kind == "texts":
            image_CSS.zero_()
            return
        stored = _member(raw, "jpg")
        try:
            if self.training:
                # The draw belongs to the sample's place in the order, not to the worker that decodes it.
                pixels = training_pixels(stored, self.config, seed=(self.seed, read.epoch, read.ordinal))
            else:
                pixels = evaluation_pixels(stored, self.config)
        except DataError as error:
            raise DataError(f"Sample {raw.key:.200} of {read.source.name:.200}: {error}") from None
        image_CSS.copy_(torch.from_numpy(pixels).permute(2, 0, 1))


def caption_of(raw: RawSample) -> str:
    """Its text member, or where it has none the caption in its record. Raises DataError when neither can be read."""
    if "txt" not in raw.members and "json" in raw.members:
        return str(_record(raw).get("caption") or "")
    try:
        return _member(raw, "txt").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"The caption of sample {raw.key:.200} is not UTF-8 ({error.reason} at byte {error.start}): "
            "check the set with 'harvest validate'."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What learning hangs on beside the image."""

    key: str
    caption: str
    video: int  # 63 bits that name the video
    align_score: float
    stands_in: bool = False  # for another, which cannot be used


def _damage(read: Read, error: DataError) -> Damage:
    return Damage(name=f"{read.source.name} {read.raw.key}", error=error, samples=1)


def _facts_of(raw: RawSample, source: Source) -> _Facts:
    caption, foreign = "" if source.kind == "images" else caption_of(raw), source.foreign
    record: dict[str, object] = {"video_id": raw.key, "align_score": -1.0} if foreign else {}
    if not foreign or "json" in raw.members:
        record |= _record(raw)
    try:
        video, align_score = str(record["video_id"]), float(str(record["align_score"]))
    except (KeyError, ValueError) as error:
        raise _unusable(raw, error) from None
    if not math.isfinite(align_score):
        raise _unusable(raw, ValueError(f"align_score is {align_score}"))
    named = hashlib.blake2b(video.encode(errors="replace"), digest_size=8).digest()
    return _Facts(key=raw.key, caption=caption, video=int.from_bytes(named) >> 1, align_score=align_score)


def _record(raw: RawSample) -> dict[str, object]:
    try:
        record = pydantic_core.from_json(_member(raw, "json"))  # thrice as fast as json, whose share would show
    except ValueError as error:
        raise _unusable(raw, error) from None
    if not isinstance(record, dict):
        raise _unusable(raw, TypeError("it holds no object"))
    return record


def _unusable(raw: RawSample, error: Exception) -> DataError:
    return DataError(
        f"The JSON of sample {raw.key:.200} cannot be used ({error!r:.80}): check the set with 'harvest validate'."
    )


def _member(raw: RawSample, ending: str) -> bytes:
    if ending not in raw.members:
        raise DataError(f"Sample {raw.key:.200} has no {ending} member: check the set with 'harvest validate'.")
    return raw.members[ending]


def _empty_images(rows: int, side: int) -> Tensor:
    """To be filled. In a worker, memory that it shares with the trainer: it would be copied there anyway."""
    shape = (rows, 3, side, side)
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    # As torch's own default_collate does.
    shared = torch.empty(0, dtype=torch.uint8).untyped_storage()._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    images_BCSS: Tensor = torch.empty(0, dtype=torch.uint8).set_(shared).view(shape)
    return images_BCSS
