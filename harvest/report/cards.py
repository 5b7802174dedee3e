"""What is shown of a pair: its texts, its picture, and a line of time with its scene, speech and frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from harvest.report import pictures
from harvest.report.sampling import spread
from harvest.report.tables import Row, SetTables, row_at

LINE = 1000  # units that a line of time is long
MOST_SIGNS = 2000  # of a text; a stranger's may have a million
# They steer what follows them, also outside of the text that holds them: overrides and embeddings of direction are
# shown as strange, control signs and ends of lines are blanks.
STEERING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "\ufffd")
STEERING |= dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Places on a line of `LINE` units; stretches as start and length."""

    scene: tuple[float, float]
    speech: tuple[float, float] | None
    frame: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A pair as the page shows it."""

    row: Row
    picture: str | None  # a data: URL
    timeline: Timeline | None  # None for a picture of no video
    link: str  # where a person can watch it; "" where that is no page


def kept_cards(tables: SetTables, most: int) -> list[Card]:
    """At most so many pairs of the set, spread over its videos. Raises CorruptShard for a torn tar."""
    rows = [row_at(tables.kept, place) for place in spread(tables.kept, most)]
    found = pictures.from_tars(tables.folder, tables.manifest, rows)
    return [card(row, found.get(row.key)) for row in rows]


def dropped_cards(dropped: pa.Table, most: int, work: Path | None) -> list[Card]:
    """At most so many dropped candidates; with their pictures where the work folder is at hand."""
    rows = [row_at(dropped, place) for place in spread(dropped, most)]
    found = {} if work is None else pictures.from_work(work, rows)
    return [card(row, found.get(row.name)) for row in rows]


def card(row: Row, picture: str | None) -> Card:
    # Any other scheme, such as javascript:, is shown as text and leads nowhere.
    link = row.url if row.url.startswith(("https://", "http://")) else ""
    return Card(row=row, picture=picture, timeline=_timeline(row), link=link)


def readable(text: str, most: int = MOST_SIGNS) -> str:
    """A stranger's text without signs that steer the reader's screen, cut where it is too long."""
    return (text if len(text) <= most else text[: most - 1] + "…").translate(STEERING)


def _timeline(row: Row) -> Timeline | None:
    if row.scene_end <= row.scene_start:
        return None
    spoken = (row.speech_start, row.speech_end) if row.speech_end > row.speech_start else ()
    times: Sequence[float] = (row.scene_start, row.scene_end, row.frame_time, *spoken)
    first, span = min(times), max(times) - min(times)

    def place(time: float) -> float:
        return round((time - first) / span * LINE, 1)

    def stretch(start: float, end: float) -> tuple[float, float]:
        return place(start), round(place(end) - place(start), 1)

    return Timeline(
        scene=stretch(row.scene_start, row.scene_end),
        speech=stretch(*spoken) if spoken else None,
        frame=place(row.frame_time),
    )
