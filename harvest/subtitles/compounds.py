"""Words that one writes together and the other apart: "cleanrooms" and "clean rooms"."""

import dataclasses
from collections.abc import Mapping, Sequence

from harvest.subtitles.words import Token, spread


def anchors_of(written: Sequence[Token], heard: Sequence[Token], pairs: Mapping[int, int]) -> dict[int, Token]:
    """The heard token by the place of the written one it stands for: of `pairs`, and of compounds beside them."""
    anchors = {place: heard[other] for place, other in pairs.items()}
    taken = set(pairs.values())
    for place, other in pairs.items():
        if written[place].plain == heard[other].plain:
            continue
        for first in (other - 1, other):
            if not taken.issuperset((first, first + 1)) and 0 <= first < len(heard) - 1:
                both = _joined(heard[first], heard[first + 1])
                if both.plain == written[place].plain:
                    anchors[place] = both
        for first in (place - 1, place):
            if 0 <= first < len(written) - 1 and not (first in pairs and first + 1 in pairs):
                both = _joined(written[first], written[first + 1])
                if both.plain == heard[other].plain and written[first].group == written[first + 1].group:
                    texts = [written[first].text, written[first + 1].text]
                    parts = spread(texts, heard[other].start, heard[other].end, heard[other].group)
                    anchors.update(zip((first, first + 1), parts, strict=True))
    return anchors


def _joined(one: Token, two: Token) -> Token:
    return dataclasses.replace(one, text=one.text + two.text.strip(), end=two.end)
