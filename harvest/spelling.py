"""How spoken words are written as a caption: clean text, nothing said taken away unless it is wished.

Always: Unicode NFC; no control, bidirectional or other invisible signs save those that join letters and emoji; no notes
of music, which stand for sounds; single blanks. Case and punctuation stay. By choice: stutters and fillers go. The
words with their times are kept as they were heard beside the caption.
"""

import re
import unicodedata
from typing import Literal

from configs import Config

NOTES = re.compile(
    "[\u2669-\u266c\U0001f3b5\U0001f3b6\U0001f3bc]\ufe0f?"
)  # quaver, beamed notes, ...; not the sharp sign
JOINERS = "\u200c\u200d"  # change meaning: Persian plurals, Indic clusters, families in emoji
STUTTER = re.compile(r"\b(\w+)(?:(?:,? +|-)\1\b){2,}", re.IGNORECASE)  # "very very" and "had had" are meant
CUT_OFF = re.compile(r"\b(\w{1,3})- (?=\1)", re.IGNORECASE)  # "th- the"

FILLERS = {
    "de": "ähm? öhm? hm+",
    "en": "u+h+m* u+m+ erm? h+m+ m+h+m+",
    "es": "eh+ em+ mm+",
    "fr": "euh+ heu+ hum+",
    "it": "ehm+ eh+ uhm+ mm+",
    "nl": "eh+m* uh+m* hm+",
}
"""Patterns of sounds that fill a pause, by language: "um" is a word in German and Portuguese."""


class SpellingConfig(Config):
    """How much of the hesitation of speech a caption shows."""

    stutters: Literal["keep", "drop"] = "keep"  # drop: a word said three times or more in a row is written once
    fillers: Literal["keep", "drop"] = "keep"  # such as "um" and "uh"


def clean_text(text: str) -> str:
    """The same text, without what nobody reads."""
    if not (text.isascii() and text.isprintable()):
        text = NOTES.sub(" ", unicodedata.normalize("NFC", text))
        text = "".join(map(_visible, text))
    return " ".join(text.split())


def spell(text: str, language: str, config: SpellingConfig) -> str:
    """Clean `text` without the hesitations that `config` drops; as it is if nothing but these would be left."""
    spelt = text
    if config.fillers == "drop" and language in FILLERS:
        sounds = "|".join(FILLERS[language].split())
        spelt = re.sub(rf"(?<![.!?]),?\s(?:{sounds})(?=[.!?](?:\s|$))", "", spelt, flags=re.IGNORECASE)
        spelt = re.sub(rf"(?:^|(?<=\s))(?:{sounds})[,.\u2026]*(?:\s+|$)", "", spelt, flags=re.IGNORECASE)
    if config.stutters == "drop":
        spelt = STUTTER.sub(r"\1", CUT_OFF.sub("", spelt))
    if text[:1].isupper() and spelt[:1].islower():
        spelt = spelt[0].upper() + spelt[1:]
    return " ".join(spelt.split()) or text


def _visible(sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind == "Cf":
        return sign if sign in JOINERS else ""
    return " " if kind == "Cc" else sign
