"""Two sets beside each other: which pairs are in both, what became of the others, whose captions differ."""

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from harvest.report import pictures
from harvest.report.cards import Card, card
from harvest.report.sampling import spread
from harvest.report.tables import Row, SetTables, names_of, row_at

NO_CANDIDATE = "no such candidate"
MAX_WORDS = 400  # of captions that are compared word by word

Piece = tuple[Literal["same", "only"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A frame that is in both sets, with other words."""

    card: Card  # as in the first set
    other: Row
    pieces: tuple[tuple[Piece, ...], tuple[Piece, ...]]  # of both captions


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two sets have in common. A fate is why a pair of one set is not in the other: a reason of the drop."""

    in_both: int
    fates: tuple[Counter[str], Counter[str]]  # of the pairs that are in the first, in the second alone
    differing: int
    examples: tuple[Differing, ...]


def compare(first: SetTables, second: SetTables, most: int) -> Comparison:
    """Compare two sets by the names of their pairs; at most so many differing captions are examples."""
    places = dict(zip(names_of(second.kept), range(len(second.kept)), strict=True))
    names, captions = names_of(first.kept), first.kept["caption"].to_pylist()
    others = second.kept["caption"].to_pylist()
    both = [place for place, name in enumerate(names) if name in places]
    differing = [place for place in both if captions[place] != others[places[names[place]]]]
    shown = first.kept.take(differing) if differing else first.kept[:0]
    chosen = [differing[place] for place in spread(shown, most)]
    pairs = [(row_at(first.kept, place), row_at(second.kept, places[names[place]])) for place in chosen]
    found = pictures.from_tars(first.folder, first.manifest, [row for row, _ in pairs])
    return Comparison(
        in_both=len(both),
        fates=(_fates(first.kept, second), _fates(second.kept, first)),
        differing=len(differing),
        examples=tuple(_differing(row, other, found.get(row.key)) for row, other in pairs),
    )


def _fates(kept: pa.Table, other: SetTables) -> Counter[str]:
    there = {*names_of(other.kept)}
    reasons = dict(zip(names_of(other.dropped), other.dropped["status"].to_pylist(), strict=True))
    return Counter(reasons.get(name, NO_CANDIDATE) for name in names_of(kept) if name not in there)


def _differing(row: Row, other: Row, picture: str | None) -> Differing:
    return Differing(card=card(row, picture), other=other, pieces=_pieces(row.caption, other.caption))


def _pieces(first: str, second: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both captions, cut where they begin and end to differ."""
    before, after = first.split()[:MAX_WORDS], second.split()[:MAX_WORDS]
    ours: list[Piece] = []
    theirs: list[Piece] = []
    for change, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        kind: Literal["same", "only"] = "same" if change == "equal" else "only"
        ours += [(kind, " ".join(before[a:b]))] if b > a else []
        theirs += [(kind, " ".join(after[c:d]))] if d > c else []
    return tuple(ours), tuple(theirs)
