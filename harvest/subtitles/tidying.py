"""Raw cues to a row of texts, each said once: in order, apart from each other, at times that can be.

raw     |A----|                     clean   |A----|
        |A B------|                              |B---|
               |B C-----|                             |C----|      captions that roll up by a line
"""

import dataclasses
from collections.abc import Iterable, Iterator

from harvest.subtitles.cue import Cue, Track
from harvest.subtitles.text import spoken

MAX_CUE_S = 60.0  # a text shown longer is a title
MAX_CHARACTERS_A_S = 60.0  # the fastest speech is half of that
CLOSE_S = 0.15  # cues with a shorter gap follow each other as one that rolls or is repeated
TOGETHER_S = 0.3  # cues that begin within are of two who speak at once, or a text in two parts


def tidy(track: Track, duration: float) -> Track:
    """`track` cleaned. Cues beyond `duration` (seconds; 0 if unknown) are left out."""
    possible = [cue for cue in track.cues if _is_possible(cue, duration)]
    cleaned = [dataclasses.replace(cue, text=spoken(cue.text)) for cue in possible]
    ordered = sorted((cue for cue in cleaned if cue.text), key=lambda cue: (cue.start, cue.end))
    cues = tuple(_apart(_readable(_said_once(ordered))))
    return dataclasses.replace(track, cues=cues, problem=track.problem or ("" if cues else "holds no spoken words"))


def _is_possible(cue: Cue, duration: float) -> bool:
    latest = duration or float("inf")
    return 0 <= cue.start < min(cue.end, latest) and cue.end - cue.start <= MAX_CUE_S


def _said_once(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Without the lines that a cue repeats of the one before."""
    shown: Cue | None = None  # the cue before, with all of its text
    for cue in cues:
        new = cue.text
        if shown is not None and cue.start <= shown.end + CLOSE_S:
            new = _new_text(shown.text, cue.text)
        if new:
            yield dataclasses.replace(cue, text=new)
        shown = dataclasses.replace(cue, end=max(cue.end, shown.end) if shown and not new else cue.end)


def _new_text(before: str, now: str) -> str:
    """What `now` adds to `before`: lines that rolled up, or words that were painted on, are known already."""
    if now.startswith(before):
        rest = now[len(before) :]
        return rest.strip() if not rest or not rest[0].isalnum() else now
    old, new = before.split("\n"), now.split("\n")
    for known in range(min(len(old), len(new)), 0, -1):
        if old[-known:] == new[:known]:
            return "\n".join(new[known:])
    return now


def _apart(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Cues one after the other: of two that overlap the first ends where the second begins, or they become one."""
    before: Cue | None = None
    for cue in cues:
        if before is not None and cue.start < before.end and not _has_time(before, cue.start):
            cue = Cue(start=before.start, end=max(before.end, cue.end), text=f"{before.text}\n{cue.text}")
        elif before is not None:
            yield dataclasses.replace(before, end=min(before.end, cue.start))
        before = cue
    if before is not None:
        yield before


def _readable(cues: Iterable[Cue]) -> Iterator[Cue]:
    return (cue for cue in cues if len(cue.text) <= MAX_CHARACTERS_A_S * max(cue.end - cue.start, TOGETHER_S))


def _has_time(cue: Cue, end: float) -> bool:
    """Whether its text could be said until `end`, and is shown before the next by more than an oversight."""
    return end - cue.start >= max(TOGETHER_S, len(cue.text) / MAX_CHARACTERS_A_S)
