"""What is said of what is shown: marks, speakers and notes on sounds go, the spoken words stay.

    "{\\an8}>> JOHN: I&#39;m <i>here</i>. [DOOR SLAMS]"  ->  "I'm here."

The conventions are those of the BBC's and Netflix's subtitle guidelines and of US closed captions. What is sung (♪)
is not narration and goes, too. Mixed-case names before a colon stay: they may be the sentence's own words.
"""

import html
import re
import unicodedata

from harvest.records import clean

MAX_NOTE = 80  # characters between brackets; longer ones are a sentence's own

_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")  # ASS: what follows are strokes of a pen, not words
_ASS_MARK = re.compile(r"\{[^{}]*\}")
_ASS_BREAK = re.compile(r"\\[Nn]")
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]*>")
_BRACKETS = re.compile(rf"\[[^\[\]]{{0,{MAX_NOTE}}}\]|【[^【】]{{0,{MAX_NOTE}}}】")
_PARENTHESES = re.compile(rf"[(（]([^()（）]{{1,{MAX_NOTE}}})[)）]")
_SOUND = re.compile(
    r"(?:\w+ ){0,2}(?:music|applause|applauds?|laugh\w*|chuckl\w*|cheer\w*|cough\w*|sigh\w*|gasp\w*|clap\w*|"
    r"silence|inaudible|indistinct|unintelligible|crosstalk|sings?|singing|whistl\w*|beep\w*|bell|buzz\w*|"
    r"musik|applaus|gelächter|lachen|musique|rires|applaudissements|música|risas|aplausos)\b.*",
    re.IGNORECASE,
)
_SUNG = re.compile(r"^\W*[♪♫♬♩#].*")
_STARS = re.compile(r"^\*[^*]+\*$")
_NOTHING_BUT_NOTE = re.compile(r"\s*[(（][^()（）]*[)）]\s*")
_TURN = re.compile(r"^(?:(?:>>+|[-–—‐])\s*)+")
_NAMED_TURN = re.compile(r"^>>+\s*[^\W\d_][\w .'’-]{0,30}:\s*")
_NAME = re.compile(r"([^\W\d_][^:]{1,30}):\s+(.+)")


def spoken(text: str) -> str:
    """The words of a cue that somebody says, its lines parted by "\\n"; "" if there are none."""
    if _DRAWING.search(text) or _NOTHING_BUT_NOTE.fullmatch(text):
        return ""
    text = _ASS_BREAK.sub("\n", _ASS_MARK.sub("", text)).replace("\\h", " ")
    text = _without_signs(html.unescape(_TAG.sub("", text)))
    notes_gone = _PARENTHESES.sub(_unless_sound, _BRACKETS.sub(" ", text))
    lines = (_spoken_line(line) for line in notes_gone.split("\n"))
    return "\n".join(line for line in lines if any(character.isalnum() for character in line))


def _without_signs(text: str) -> str:
    """Valid Unicode, composed, without control signs; joiners stay, as they make letters of Persian and Hindi."""
    text = unicodedata.normalize("NFC", clean(text))
    return "".join(
        character
        for character in text.replace("\r", "\n").replace("\xa0", " ")
        if character in "\n\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Co", "Cn")
    )


def _unless_sound(found: re.Match[str]) -> str:
    """What stands in parentheses is kept where it is not a note in capitals, or on a known sound."""
    note = found[1].strip()
    shouted = note.isupper() and len(note) > 3
    return " " if shouted or _SOUND.fullmatch(note) else found[0]


def _spoken_line(line: str) -> str:
    line = " ".join(line.split())
    if _SUNG.match(line) or _STARS.match(line) or _NOTHING_BUT_NOTE.fullmatch(line):
        return ""
    line = _TURN.sub("", _NAMED_TURN.sub("", line))
    named = _NAME.fullmatch(line)
    if named and named[1].isupper() and not named[2].isupper():  # where all is in capitals, names cannot be told
        line = named[2]
    return line.strip("♪♫♬♩ ")
