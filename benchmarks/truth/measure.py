"""What somebody made of the films, held against the truth.

Made (cuts, words, pairs) of each film -> figures
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from benchmarks.truth.film import Film, Line
from tests.makers import CutCount, count_cuts

FRAME_EXACT = 1.5  # frames' lengths within which a cut is frame-exact
WINDOW_S = 2.0  # around a caption's time, within which its words are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A word that somebody transcribed."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePair:
    """A picture and its caption."""

    time: float  # of the picture
    caption: str
    start: float  # of what the caption says
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Of one film."""

    cuts: tuple[float, ...] | None  # None where nobody looked for them
    words: tuple[Heard, ...]
    pairs: tuple[MadePair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A pair, and what is to be said of it."""

    film: str
    pair: MadePair
    shown: tuple[int, int]
    right: bool  # the words are about what is seen
    hallucinated: bool  # most of the words were never said


def figures(films: Sequence[Film], made: Mapping[str, Made]) -> dict[str, float]:
    """Shares are 0..1; a figure is nan where there is nothing to measure."""
    judged = [one for film in films for one in judge(film, made[film.name])]
    return cut_figures(films, made) | word_figures(films, made) | pair_figures(films, judged)


def cut_figures(films: Sequence[Film], made: Mapping[str, Made]) -> dict[str, float]:
    """A found cut that is no true one counts against the kind of its film's cuts."""
    found = {}
    for kind in ("hard", "gradual"):
        total, exact = CutCount(), CutCount()
        for film in films:
            cuts = made[film.name].cuts
            if cuts is None or (_is_gradual(film) != (kind == "gradual")):
                continue
            total += count_cuts(film.cuts, cuts)
            exact += count_cuts(film.cuts, cuts, tolerance=FRAME_EXACT / film.fps)
        if total.hard + total.soft:
            found[f"cut_f1_{kind}"] = _f1(total)
            found[f"cut_precision_{kind}"], found[f"cut_recall_{kind}"] = total.precision, total.recall
            if kind == "hard":
                found["cut_f1_hard_exact"] = _f1(exact)
    return found


def word_figures(films: Sequence[Film], made: Mapping[str, Made]) -> dict[str, float]:
    said = lost = errors = 0
    off: list[float] = []
    for film in films:
        aligned = align([word.text for word in film.words], [word.text for word in made[film.name].words])
        said += len(film.words)
        lost += sum(heard is None for true, heard in aligned if true is not None)
        for true, heard in aligned:
            if true is None or heard is None:
                errors += 1
                continue
            word, other = film.words[true], made[film.name].words[heard]
            same = _plain(word.text) == _plain(other.text)
            errors += not same
            off += [abs(one - two) for one, two in ((word.start, other.start), (word.end, other.end))] if same else []
    known = [error for error in off if not math.isnan(error)]
    return {
        "word_time_error_median_s": statistics.median(known) if known else math.nan,
        "word_time_error_p95_s": statistics.quantiles(known, n=20)[-1] if len(known) > 1 else math.nan,
        "word_error_rate": errors / max(1, said),
        "speech_lost_share": lost / max(1, said),
    }


def pair_figures(films: Sequence[Film], judged: Sequence[Judged]) -> dict[str, float]:
    pairs = max(1, len(judged))
    pictures = Counter(one.shown for one in judged if one.shown[0] >= 0)
    units = {line.about for film in films for line in film.lines if line.about >= 0}
    kept = {one.shown[0] for one in judged if one.right} & units
    return {
        "pairs": float(len(judged)),
        "pairing_accuracy": sum(one.right for one in judged) / pairs,
        "duplicate_share": sum(count - 1 for count in pictures.values()) / pairs,
        "hallucinated_share": sum(one.hallucinated for one in judged) / pairs,
        "kept_share": len(kept) / max(1, len(units)),
    }


def judge(film: Film, made: Made) -> list[Judged]:
    return [_judged(film, pair) for pair in made.pairs]


def _judged(film: Film, pair: MadePair) -> Judged:
    said = [_plain(word) for word in pair.caption.split()]
    about = _told_of(said, _lines_near(film, pair))
    matched = sum(about.values())
    shown = film.shown(pair.time)
    hallucinated = 2 * matched < len(said)
    right = not hallucinated and shown[0] >= 0 and 2 * about[shown[0]] > matched
    return Judged(film=film.name, pair=pair, shown=shown, right=right, hallucinated=hallucinated)


def _lines_near(film: Film, pair: MadePair) -> list[Line]:
    """What was said about that time, what was said just then first."""

    def shared_s(line: Line) -> float:
        return min(line.start + line.utterance.seconds, pair.end) - max(line.start, pair.start)

    return sorted((line for line in film.lines if shared_s(line) > -WINDOW_S), key=shared_s, reverse=True)


def _told_of(said: Sequence[str], lines: Sequence[Line]) -> Counter[int]:
    """How many words of a caption are about which view: those of the line that holds most of them, then of the rest.

    Lines are alike in parts, so a word is one's that has more beside it.
    """
    about: Counter[int] = Counter()
    left, others = [*said], [*lines]
    while left and others:
        held = [_shared(line, left) for line in others]
        place = max(range(len(others)), key=lambda number: len(held[number]))
        if not held[place]:
            break
        about[others.pop(place).about] += len(held[place])
        left = [word for number, word in enumerate(left) if number not in held[place]]
    return about


def _shared(line: Line, said: Sequence[str]) -> set[int]:
    """The places of the words that the line has, too, in its order."""
    words = [_plain(word.text) for word in line.utterance.words]
    aligned = align(words, said)
    return {two for one, two in aligned if one is not None and two is not None and words[one] == said[two]}


def align(true: Sequence[str], heard: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Places in `true` and `heard` that belong together by the smallest edit distance; None where there is no other."""
    ours, theirs = [_plain(word) for word in true], [_plain(word) for word in heard]
    costs = [[*range(len(theirs) + 1)]]
    for row, word in enumerate(ours, start=1):
        above, here = costs[-1], [row]
        for column, other in enumerate(theirs, start=1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (word != other)))
        costs.append(here)
    pairs: list[tuple[int | None, int | None]] = []
    row, column = len(ours), len(theirs)
    while row or column:
        if row and column and costs[row][column] == costs[row - 1][column - 1] + (ours[row - 1] != theirs[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif row and costs[row][column] == costs[row - 1][column] + 1:
            row -= 1
            pairs.append((row, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def _is_gradual(film: Film) -> bool:
    return any(cut.entrance != "cut" for cut in film.cuts)


def _f1(count: CutCount) -> float:
    return 2 * count.precision * count.recall / max(1e-9, count.precision + count.recall)


@cache
def _plain(word: str) -> str:
    """As Whisper's authors compare words: without case, punctuation and British spelling."""
    return str(_normaliser()(word)).replace(" ", "")


@cache
def _normaliser() -> Callable[[str], str]:
    from whisper.normalizers import EnglishTextNormalizer

    normaliser: Callable[[str], str] = EnglishTextNormalizer()
    return normaliser
