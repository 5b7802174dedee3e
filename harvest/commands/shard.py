"""`harvest shard`: from finished folders to a shard set.

    folders -> pairs -> filters -> split by video -> order by a hash -> shards.writer
                           '-> dropped rows, with reason and score

Pictures are read when their sample is written; until then a sample is the record it comes from.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import harvest
from harvest.config import HarvestConfig
from harvest.errors import RequestError
from harvest.filters import FILTERS, Candidate, Drop, Filter
from harvest.filters.in_other_set import InOtherSet
from harvest.filters.likeness import Likeness
from harvest.folder import BrokenRecord, VideoFolder, begun_ids, finished_ids
from harvest.other_sets import PICTURES, OtherSets, PictureRow, picture_table
from harvest.pairing import Pair, pair
from harvest.picking import EXCLUDED, Exclusion, pair_name
from harvest.records import Scenes, Transcript, Video
from harvest.stages.base import builds_on
from shards.manifest import Manifest
from shards.sample import UNKNOWN, Sample, json_values
from shards.split import Split, split_of
from shards.writer import SetFacts, write_set

logger = logging.getLogger(__name__)

SHAPING = ("pairing", "filters", "shard")
"""The settings that shape a set. How its videos were heard and cut is known from their records, not from here."""


class ShardView(Protocol):
    """Who is shown the work as it goes on."""

    def read(self, done: int, total: int) -> None: ...
    def wrote(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A kept pair, waiting to be written."""

    sample: Sample  # still without its picture
    picture: Path
    likeness: Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """What is known of one finished video."""

    folder: Path
    video: Video
    transcript: Transcript
    scenes: Scenes
    fingerprints: tuple[str, str, str]  # of the three records


def shard(
    work: Path,
    out: Path,
    config: HarvestConfig,
    view: ShardView,
    *,
    exclude: Sequence[Path] = (),
    beside: Sequence[Path] = (),
) -> Manifest:
    """Write the set of all finished videos of `work` into `out`, save the pairs named in the lists `exclude` and what
    the sets in `beside` hold already.

    Raises RequestError if there are none.
    """
    exclusion = Exclusion(exclude)
    settings = shaping_settings(config)
    planned: dict[Split, list[_Planned]] = {"train": [], "val": [], "test": []}
    dropped: list[Mapping[str, Any]] = []
    others = OtherSets(beside, out=out)
    filters = [*([InOtherSet(others)] if beside else []), *(kind(config.filters) for kind in FILTERS.values())]
    usable = 0
    for records in _usable(work, view):
        usable += 1
        split = split_of(records.video.id, config.shard.split_shares)
        for candidate, drop in _candidates(records, config, split, filters, exclusion):
            if drop is None:
                planned[split].append(candidate)
            else:
                dropped.append(json_values(candidate.sample) | {"status": drop.reason, "score": float(drop.score)})
    if not usable:
        raise RequestError(f"{work} holds no finished video: run 'harvest collect --work {work}' first.")
    exclusion.warn_of_unknown()
    total = sum(map(len, planned.values()))
    if not total:
        raise RequestError(
            f"None of the {len(dropped)} candidate pairs of {work} passed the filters: {_count(dropped)}."
        )
    progress = _Progress(view, total)
    return write_set(
        out,
        {split: progress.through(_ordered(candidates)) for split, candidates in planned.items()},
        samples_per_shard=config.shard.samples_per_shard,
        facts=SetFacts(
            title=config.shard.title,
            version=harvest.VERSION,
            dropped=tuple(dropped),
            settings=settings | ({"beside": others.digests} if beside else {}),
            meta_files={PICTURES: picture_table(_pictures(planned))},
        ),
    )


def _usable(work: Path, view: ShardView) -> Iterator[_Records]:
    """The finished videos whose records can be read and belong together; says how many are left out."""
    finished = finished_ids(work)
    unfinished = len(begun_ids(work)) - len(finished)
    if unfinished:
        logger.warning("%d videos are not finished and not in the set: 'harvest status' tells why.", unfinished)
    for number, video_id in enumerate(finished):
        records = _read(VideoFolder(work, video_id))
        if records is not None:
            yield records
        view.read(number + 1, len(finished))


def _read(folder: VideoFolder) -> _Records | None:
    """The records of a video, unless one is damaged or made from other media than the folder's record describes."""
    try:
        video, transcript, scenes = folder.load(Video), folder.load(Transcript), folder.load(Scenes)
    except BrokenRecord as error:
        logger.warning("%s is not in the set: %s", folder.video_id, error)
        return None
    media, heard, cut = (folder.fingerprint(kind) for kind in (Video, Transcript, Scenes))
    if not (builds_on(heard, media) and builds_on(cut, media)):
        logger.warning(
            "%s is not in the set: its media were fetched again since it was heard and cut; run 'harvest collect'.",
            folder.video_id,
        )
        return None
    return _Records(
        folder=folder.path, video=video, transcript=transcript, scenes=scenes, fingerprints=(media, heard, cut)
    )


def shaping_settings(config: HarvestConfig) -> dict[str, Any]:
    """The settings that shape a set, for its manifest and card."""
    values = config.model_dump(mode="json")
    return {name: values[name] for name in SHAPING}


def _candidates(
    records: _Records, config: HarvestConfig, split: Split, filters: Sequence[Filter], exclusion: Exclusion
) -> Iterator[tuple[_Planned, Drop | None]]:
    """Every candidate of one video with the first filter's objection, or None."""
    common = _common_fields(records.video, records.transcript)
    common |= {"split": split, "config_sha": _config_sha(records, config)}
    for found in pair(records.scenes, records.transcript, config.pairing):
        sample = Sample.make(image=b"", video_id=records.video.id, **common, **_pair_fields(found))
        candidate = Candidate(
            pair=found, video=records.video, language=records.transcript.language, folder=records.folder
        )
        left_out = exclusion.leaves_out(pair_name(records.video.id, found.frame.time))
        drop = Drop(EXCLUDED, UNKNOWN) if left_out else _judge(filters, candidate)
        picture = records.folder / found.frame.file
        yield _Planned(sample=sample, picture=picture, likeness=candidate.likeness), drop


def _judge(filters: Sequence[Filter], candidate: Candidate) -> Drop | None:
    drops = (one.judge(candidate) for one in filters)
    return next((drop for drop in drops if drop is not None), None)


def _common_fields(video: Video, transcript: Transcript) -> dict[str, Any]:
    names = ("url", "extractor", "channel", "title", "license", "upload_date", "retrieved_at")
    return {name: getattr(video, name) for name in names} | {
        "language": transcript.language,
        "asr_model": f"{transcript.engine}/{transcript.model}" if transcript.model else "",
        "caption_source": "asr" if transcript.source == "asr" else "human",
        "harvest_version": harvest.VERSION,
    }


def _config_sha(records: _Records, config: HarvestConfig) -> str:
    """Changes with every setting that shaped the samples of this video, and with nothing else."""
    canonical = json.dumps([shaping_settings(config), *records.fingerprints], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _pair_fields(candidate: Pair) -> dict[str, Any]:
    words, frame = candidate.words, candidate.frame
    return {
        "caption": candidate.caption,
        "width": frame.width,
        "height": frame.height,
        "scene_start": candidate.scene_start,
        "scene_end": candidate.scene_end,
        "frame_time": frame.time,
        "speech_start": words[0].start if words else -1.0,
        "speech_end": words[-1].end if words else -1.0,
        "context_before": candidate.context_before,
        "context_after": candidate.context_after,
        "words": json.dumps([[word.text, word.start, word.end, word.probability] for word in words]),
        "avg_logprob": round(candidate.avg_logprob, 4),
        "no_speech_prob": candidate.no_speech_prob,
        "compression_ratio": candidate.compression_ratio,
        "sharpness": frame.sharpness,
        "brightness": frame.brightness,
        "dhash": frame.dhash,
    }


def _pictures(planned: Mapping[Split, Sequence[_Planned]]) -> Iterator[PictureRow]:
    """What the set tells others of its pictures."""
    for items in planned.values():
        for item in items:
            yield PictureRow(item.sample.video_id, item.sample.frame_time, item.likeness)


def _ordered(planned: Sequence[_Planned]) -> Iterator[Sample]:
    """The samples with their pictures, in the order of a hash: neighbours come from different videos."""
    for item in sorted(planned, key=_order):
        image = item.picture.read_bytes()
        yield dataclasses.replace(item.sample, image=image, sha256=hashlib.sha256(image).hexdigest())


def _order(item: _Planned) -> bytes:
    return hashlib.sha256(pair_name(item.sample.video_id, item.sample.frame_time).encode()).digest()


def _count(dropped: Sequence[Mapping[str, Any]]) -> str:
    reasons = [str(row["status"]) for row in dropped]
    return ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))


class _Progress:
    """Counts samples on their way to the writer."""

    def __init__(self, view: ShardView, total: int) -> None:
        self._view = view
        self._total = total
        self._done = 0

    def through(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        for sample in samples:
            yield sample
            self._done += 1
            self._view.wrote(self._done, self._total)
