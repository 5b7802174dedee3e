"""Words of a written text, with the times they get where nobody listened: a cue's, shared out by length."""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvest.asr.engine import UNSPACED
from harvest.records import Segment, Word
from harvest.subtitles.cue import Cue

_UNSPACED_WORD = re.compile(r"[A-Za-z0-9'’.,-]+\W*|\w[^\w\s]*|\S")


@dataclass(frozen=True, slots=True)
class Token:
    """A word on its way to its times, written or heard."""

    text: str  # with the blank before it, where its language has any
    start: float
    end: float
    group: int  # the number of its cue, or of the segment it was heard in

    @property
    def centre(self) -> float:
        return (self.start + self.end) / 2

    @property
    def plain(self) -> str:
        """What two spellings of a word share: letters and digits, small, composed alike."""
        folded = unicodedata.normalize("NFKC", self.text).casefold()
        return "".join(character for character in folded if character.isalnum()) or folded.strip()


def tokens_of(cue: Cue, group: int, language: str) -> list[Token]:
    """The words of a cue, its time shared out among them by their lengths."""
    return spread(_split(cue.text, language), cue.start, cue.end, group)


def split_token(token: Token, language: str) -> list[Token]:
    """A heard word as the pieces that a written one of this language is cut into: of Chinese, its characters."""
    if language not in UNSPACED:
        return [token]
    return spread(_split(token.text, language), token.start, token.end, token.group)


def spread(texts: Sequence[str], start: float, end: float, group: int) -> list[Token]:
    """The texts, one after the other from `start` to `end` seconds, each as long as it has characters."""
    total = sum(map(len, texts)) or 1
    tokens: list[Token] = []
    passed = 0
    for text in texts:
        begin, passed = passed, passed + len(text)
        tokens.append(Token(text, start + (end - start) * begin / total, start + (end - start) * passed / total, group))
    return tokens


def written_segment(tokens: Iterable[Token]) -> Segment:
    """Words that a person wrote. Whisper's doubts are not about them: no score is one at which a filter drops."""
    words = tuple(
        Word(text=token.text, start=round(token.start, 3), end=round(token.end, 3), probability=1.0) for token in tokens
    )
    text = "".join(word.text for word in words).encode("utf-8", "replace")
    return Segment(
        words=words,
        avg_logprob=0.0,
        no_speech_prob=0.0,
        compression_ratio=round(len(text) / max(1, len(zlib.compress(text))), 4),  # as in whisper/utils.py
    )


def _split(text: str, language: str) -> list[str]:
    if language in UNSPACED:
        return _UNSPACED_WORD.findall(text)
    return [f" {word}" for word in _joined(text.split())]


def _joined(parts: Sequence[str]) -> list[str]:
    """A sign that stands alone, as a dash between blanks, goes with the word before."""
    words: list[str] = []
    for part in parts:
        if words and not any(character.isalnum() for character in part):
            words[-1] += f" {part}"
        else:
            words.append(part)
    return words
