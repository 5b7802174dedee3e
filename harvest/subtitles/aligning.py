"""Whisper hears, people spell: the words of subtitles at the times at which they were heard.

    heard     the | web  | space | telescope | uh | in     times exact, spelling guessed
    written   The   Webb   space   telescope,       in     spelling sure, times vague
    aligned   The | Webb | space | telescope,     | in

A written word takes the time of the heard one it stands for; one that was not made out lies between its neighbours.
A cue of which next to nothing was heard (a credit, a sign, a song) is left out. What was
heard outside of all cues stays.
"""

import dataclasses
import itertools
import math
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from harvest.records import Segment, Transcript, Word
from harvest.subtitles.compounds import anchors_of
from harvest.subtitles.cue import Track
from harvest.subtitles.matching import match
from harvest.subtitles.words import Token, split_token, spread, tokens_of, written_segment

MIN_HEARD = 0.2  # share of a cue's words that must have been heard as they are written, for it to be used
SHORT_CUE = 3  # words; "Yes." that was heard as "Yeah." is no other text
CHARACTERS_A_S = 15.0  # of speech at its usual rate, for words at the ends of a cue that were not made out
SQUEEZED_S = 0.02  # a character; a word that has less time than that shares that of its neighbour


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """A track held against what was heard."""

    transcript: Transcript  # corrected; not yet judged
    heard: int  # written words that were heard as they are written
    agreement: float  # the share of all written words that they are, 0..1
    used_cues: int


def align(transcript: Transcript, track: Track) -> Alignment:
    """The transcript with the words of `track`, which must be tidy, wherever it has any."""
    language = transcript.language
    heard = _heard(transcript)
    cues = [tokens_of(cue, number, language) for number, cue in enumerate(track.cues)]
    written = [token for cue in cues for token in cue]
    anchors = anchors_of(written, heard, dict(match(written, heard)))
    agreeing = {place for place, token in anchors.items() if token.plain == written[place].plain}
    timed: list[tuple[int, list[Token]]] = []  # with the number of the cue
    for number, (cue, first) in enumerate(zip(cues, _first_places(cues), strict=True)):
        places = range(first, first + len(cue))
        own = {place - first: anchors[place] for place in places if place in anchors}
        if _was_heard(len(cue), len(own), len(agreeing.intersection(places))):
            timed.append((number, _timed(cue, own)))
    segments = [*(written_segment(tokens) for _, tokens in timed), *_left_of(transcript, timed, track)]
    return Alignment(
        transcript=dataclasses.replace(transcript, segments=_in_order(segments)),
        heard=len(agreeing),
        agreement=len(agreeing) / max(1, len(written)),
        used_cues=len(timed),
    )


def _heard(transcript: Transcript) -> list[Token]:
    whole = [
        Token(word.text, word.start, word.end, number)
        for number, segment in enumerate(transcript.segments)
        for word in segment.words
    ]
    pieces = [piece for token in whole for piece in split_token(token, transcript.language)]
    return sorted(pieces, key=lambda token: token.centre)


def _first_places(cues: Sequence[Sequence[Token]]) -> Iterator[int]:
    place = 0
    for cue in cues:
        yield place
        place += len(cue)


def _was_heard(words: int, paired: int, agreeing: int) -> bool:
    return agreeing >= max(1.0, MIN_HEARD * words) or (words <= SHORT_CUE and paired > 0)


def _timed(cue: Sequence[Token], anchors: Mapping[int, Token]) -> list[Token]:
    """The words of a cue at the times of their anchors, by place; the others between these and at the ends."""
    timed: list[Token] = []
    for anchored, run in groupby(range(len(cue)), key=anchors.__contains__):
        places = [*run]
        if anchored:
            timed += [dataclasses.replace(anchors[place], text=cue[place].text) for place in places]
        else:
            texts = [cue[place].text for place in places]
            timed = _filled(timed, texts, anchors.get(places[-1] + 1), cue[0].group)
    return timed


def _filled(before: list[Token], texts: list[str], after: Token | None, group: int) -> list[Token]:
    """`before` and the words that were not made out between its last one and `after`; None at a cue's end."""
    needed = sum(map(len, texts)) / CHARACTERS_A_S
    if not before:
        assert after is not None  # a cue that is used has an anchor
        return spread(texts, max(0.0, after.start - needed), after.start, group)
    last = before[-1]
    end = last.end + needed if after is None else after.start
    if end - last.end < SQUEEZED_S * sum(map(len, texts)):
        return before[:-1] + spread([last.text, *texts], last.start, max(end, last.start), group)
    return before + spread(texts, last.end, end, group)


def _left_of(transcript: Transcript, timed: Sequence[tuple[int, Sequence[Token]]], track: Track) -> Iterator[Segment]:
    """What was heard while no cue that is used was shown, or its words were said: subtitles may lack a part."""
    shown = sorted(
        (min(cue[0].start, track.cues[number].start), max(cue[-1].end, track.cues[number].end)) for number, cue in timed
    )
    for segment in transcript.segments:
        for covered, words in groupby(segment.words, key=partial(_is_within, spans=shown)):
            if not covered:
                yield dataclasses.replace(segment, words=tuple(words))


def _is_within(word: Word, spans: Sequence[tuple[float, float]]) -> bool:
    """Whether the middle of a word lies in one of the spans, which are in the order of their starts."""
    centre = (word.start + word.end) / 2
    first = bisect(spans, (centre, math.inf))
    return any(centre <= end for _, end in spans[max(0, first - 3) : first])


def _in_order(segments: list[Segment]) -> tuple[Segment, ...]:
    """By time; where the words of two that follow each other would overlap, the first one's end sooner."""
    ordered = sorted(segments, key=lambda segment: segment.words[0].start)
    for place, (segment, after) in enumerate(itertools.pairwise(ordered)):
        latest = after.words[0].start
        words = tuple(
            dataclasses.replace(word, start=min(word.start, latest), end=min(word.end, latest))
            for word in segment.words
        )
        ordered[place] = dataclasses.replace(segment, words=words)
    return tuple(ordered)
