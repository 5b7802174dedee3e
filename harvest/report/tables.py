"""The rows of a set, kept and dropped, as tables; a row as a record where it is shown.

Only rows are read here, no tars. All values are what the set says: nothing is measured again.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from harvest.picking import EXCLUDED, pair_name
from shards.errors import CorruptShard
from shards.manifest import Manifest
from shards.sample import JSON_FIELDS, UNKNOWN
from shards.side_files import META_FOLDER, rows_path

TIMES = ("scene_start", "scene_end", "frame_time", "speech_start", "speech_end")
SCORES = tuple(name for name, kind in JSON_FIELDS.items() if kind is float and name not in TIMES)
"""Every measured value of a pair: a field that is added to samples is shown without a change here."""

MEASURED = "score"
"""Of a dropped candidate: what was found wanting."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One candidate pair, in the words of `shards.sample.Sample`; times in seconds."""

    key: str  # "" where it was dropped
    status: str  # "success", else the reason of the drop
    video_id: str
    url: str
    title: str
    channel: str
    license: str
    language: str
    split: str
    caption: str
    context_before: str
    context_after: str
    scene_start: float
    scene_end: float
    frame_time: float
    speech_start: float
    speech_end: float
    scores: dict[str, float]  # those that were measured

    @property
    def name(self) -> str:
        return pair_name(self.video_id, self.frame_time)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetTables:
    """A set without its pictures."""

    folder: Path
    manifest: Manifest
    kept: pa.Table
    dropped: pa.Table

    @classmethod
    def read(cls, folder: Path) -> "SetTables":
        """Raises ShardsError for what is no set, or one whose tables are missing or damaged."""
        manifest = Manifest.load(folder)
        tables = [_read(rows_path(folder, shard)) for shard in manifest.shards]
        dropped = _read(folder / META_FOLDER / "dropped.parquet")
        return cls(folder=folder, manifest=manifest, kept=pa.concat_tables(tables or [dropped[:0]]), dropped=dropped)

    def excluded(self) -> list[str]:
        """The names of the pairs that a person has left out already, sorted."""
        chosen = self.dropped.filter(np.asarray(self.dropped["status"]) == EXCLUDED)
        return sorted(set(names_of(chosen)))


def row_at(table: pa.Table, place: int) -> Row:
    """The row at a place of a table of `SetTables`."""
    values: dict[str, Any] = table.slice(place, 1).to_pylist()[0]
    fields = {name: values[name] for name in Row.__dataclass_fields__ if name != "scores"}
    scores = {name: values[name] for name in (MEASURED, *SCORES) if values.get(name, UNKNOWN) != UNKNOWN}
    return Row(**fields, scores=scores)


def names_of(table: pa.Table) -> list[str]:
    """What the pairs of a table are called, in their order."""
    ids, times = table["video_id"].to_pylist(), table["frame_time"].to_pylist()
    return [pair_name(video_id, time) for video_id, time in zip(ids, times, strict=True)]


def numbers(table: pa.Table, field: str) -> Floats:
    """A column of measured values, without those that were not measured."""
    values: Floats = np.asarray(table[field], np.float64)
    measured: Floats = values[values != UNKNOWN]
    return measured


def scene_seconds(table: pa.Table) -> Floats:
    """The length of each pair's scene, where there is one."""
    starts, ends = (np.asarray(table[field], np.float64) for field in ("scene_start", "scene_end"))
    lengths: Floats = (ends - starts)[ends > starts]
    return lengths


def caption_words(table: pa.Table) -> Floats:
    """How many words each caption has; as heard, since not all languages part them by blanks."""
    columns = zip(table["words"].to_pylist(), table["caption"].to_pylist(), strict=True)
    return np.asarray([len(json.loads(words)) if words else len(caption.split()) for words, caption in columns], float)


def counts(table: pa.Table, field: str) -> Counter[str]:
    """How often each value of a column of text occurs."""
    return Counter(value or "unknown" for value in table[field].to_pylist())


def _read(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptShard(f"{path} cannot be read ({reason}), and with it goes what is known of the pairs.") from None
    if missing := JSON_FIELDS.keys() - set(table.column_names):
        raise CorruptShard(f"{path} lacks the column {min(missing)!r}: write the set anew with 'harvest shard'.")
    return table.select([*JSON_FIELDS, *{MEASURED}.intersection(table.column_names)])
