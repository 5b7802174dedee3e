"""Picking by hand: pairs named in a text file are left out of the set.

    report.html --(a person clicks)--> rejected.txt --> harvest shard --exclude rejected.txt

Keys change whenever a set is written anew. A pair's name does not: its video and the time of its frame.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from harvest.errors import RequestError

logger = logging.getLogger(__name__)

EXCLUDED = "excluded"
"""The reason given for a pair that a person has left out."""


def pair_name(video_id: str, frame_time: float) -> str:
    """What a pair is called wherever it lies: "youtube-dQw4w9WgXcQ@12.480"."""
    return f"{video_id}@{frame_time:.3f}"


class Exclusion:
    """Which pairs a person has left out. Remembers which of their names have come up."""

    def __init__(self, lists: Sequence[Path]) -> None:
        """Read text files of a name a line; what follows "#" is a comment. Raises RequestError for what is no text."""
        self._names = {name for path in lists for name in _read(path)}
        self._met: set[str] = set()

    def leaves_out(self, name: str) -> bool:
        if name not in self._names:
            return False
        self._met.add(name)
        return True

    def warn_of_unknown(self) -> None:
        """Tell, once all pairs were asked about, which names were of none of them."""
        unknown = sorted(self._names - self._met)
        if unknown:
            logger.warning(
                "%d of the %d names to exclude are of no candidate pair, such as %.120r: "
                "the videos are not here, or other frames of them were chosen since.",
                len(unknown),
                len(self._names),
                unknown[0],
            )


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise RequestError(
            f"The list {path} of pairs to exclude cannot be read ({error}), and without it they would be in the set."
        ) from None
    names = (line.partition("#")[0].strip() for line in lines)
    return [name for name in names if name]
