"""Whether the words heard account for the voice detected; where they do not, Whisper listens again.

    windows -> heard, many at once -> too few words for so much voice, or a loop? -> heard again, in pieces, each alone
                                                                                        '-> the better of the two

Decoding windows in batches, without time stamps, now and then ends a window early, gives nothing for it or repeats one
phrase to its end. Short pieces leave less to skip and no room for a loop. It takes the place of Whisper's own second
tries, which draw by chance.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from harvest.asr.base import RATE_HZ, Audio
from harvest.asr.listener import Heard, Listened, Listener
from harvest.asr.windows import Window, cut_window
from harvest.repetition import most_in_a_row, spoken_forms

DRAWN_OUT_S = 1.0  # what a word accounts for at most: one that lasts longer is drawn out over what was not made out
ENOUGH = 0.5  # share of the voice that words account for where nothing is missing
MISSED_S = 1.5  # seconds of voice without words that are worth listening again
LOOP = 5  # times in a row that a phrase is not said by people
PIECE_S = 8  # seconds that are heard at once the second time
MARGIN = RATE_HZ // 2  # samples around a window that is no longer than a piece


def listen_well(engine: Listener, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
    """What is said in the windows; what lacks words, or is a loop, was heard again."""
    first = engine.listen(audio, windows, language)
    by_window: dict[Window, list[Heard]] = {window: [] for window in windows}
    for one in first.heard:
        by_window[one.window].append(one)
    heard: list[Heard] = []
    twice = 0
    for (window, before), wider in zip(by_window.items(), _widened(audio, windows), strict=True):
        if _is_good(window, before):
            heard += before
            continue
        twice += 1
        again = _listen_again(engine, audio, _pieces(audio, window, wider), first.language)
        heard += again if _merit(window, again) > _merit(window, before) else before
    return first._replace(heard=heard, again=twice)


def coverage(window: Window, heard: Sequence[Heard]) -> float:
    """Share of the window's voice that the words account for; 1 where nobody looked for voice."""
    spoken = sum(min(word.end - word.start, DRAWN_OUT_S) for one in heard for word in one.words)
    return min(1.0, spoken / window.voice_s) if window.voice_s > 0 else 1.0


def _is_good(window: Window, heard: Sequence[Heard]) -> bool:
    share = coverage(window, heard)
    return not (share < ENOUGH and (1 - share) * window.voice_s > MISSED_S) and not any(map(_is_loop, heard))


def _widened(audio: Audio, windows: Sequence[Window]) -> Iterator[Window]:
    """Each window with some of the silence around it, which no two share."""
    ends = [0, *(window.end for window in windows)]
    firsts = [*(window.first for window in windows[1:]), len(audio.samples)]
    for before, window, after in zip(ends, windows, firsts, strict=False):
        first = max((before + window.first) // 2, window.first - MARGIN)
        yield dataclasses.replace(window, first=first, end=min((window.end + after) // 2, window.end + MARGIN))


def _pieces(audio: Audio, window: Window, wider: Window) -> list[Window]:
    """A short window has no pieces, but may be heard otherwise with some more of the sound around it."""
    if window.end - window.first <= PIECE_S * RATE_HZ:
        return [wider]
    return [_with_voice(piece, window) for piece in cut_window(audio, window, PIECE_S)]


def _with_voice(piece: Window, window: Window) -> Window:
    """The piece with the voice of the window that lies in it."""
    inside = ((max(one.first, piece.first), min(one.end, piece.end)) for one in window.stretches)
    return dataclasses.replace(
        piece, stretches=tuple(Window(first=first, end=end) for first, end in inside if first < end)
    )


def _listen_again(engine: Listener, audio: Audio, pieces: Sequence[Window], language: str) -> list[Heard]:
    """What is said in the pieces, but what Whisper itself would have thrown away."""
    heard = [one for piece in pieces for one in engine.listen(audio, [piece], language).heard]
    return [dataclasses.replace(one, again=True) for one in heard if one.words and not _is_thrown_away(one)]


def _merit(window: Window, heard: Sequence[Heard]) -> tuple[bool, float, float]:
    """No loop is better than one, then more of the voice, in steps of a tenth, then Whisper's own certainty."""
    words = sum(len(one.words) for one in heard)
    logprob = sum(one.avg_logprob * len(one.words) for one in heard) / words if words else -10.0
    return not any(map(_is_loop, heard)), round(coverage(window, heard), 1), logprob


def _is_loop(heard: Heard) -> bool:
    return most_in_a_row(spoken_forms([word.text for word in heard.words])) >= LOOP


def _is_thrown_away(heard: Heard) -> bool:
    """By the thresholds of whisper/transcribe.py; so short a text is no list of alike sentences."""
    return (heard.no_speech_prob > 0.6 and heard.avg_logprob < -1) or heard.compression_ratio > 2.4
