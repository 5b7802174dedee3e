"""Which pairs are shown, of many: spread over the videos, and the same ones every time."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from harvest.report.tables import names_of


def spread(table: pa.Table, most: int) -> list[int]:
    """The places of at most so many rows: one of each video, then a second of each, and so on; in order of time."""
    names, ids = names_of(table), table["video_id"].to_pylist()
    by_chance = sorted(range(len(names)), key=lambda place: _chance(names[place]))
    taken: Counter[str] = Counter()
    turns: list[tuple[int, int]] = []
    for place in by_chance:
        turns.append((taken[ids[place]], place))
        taken[ids[place]] += 1
    chosen = [place for _, place in sorted(turns, key=lambda turn: turn[0])[:most]]
    return _in_time(table, chosen)


def _chance(name: str) -> bytes:
    return hashlib.sha256(b"report " + name.encode()).digest()


def _in_time(table: pa.Table, places: Sequence[int]) -> list[int]:
    shown = table.take(places) if places else table[:0]
    columns = (shown[field].to_pylist() for field in ("title", "video_id", "frame_time"))
    order = sorted(zip(*columns, places, strict=True))
    return [place for *_, place in order]
