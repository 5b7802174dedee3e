"""Names of languages, as sites, files and streams declare them, in the two letters that Whisper uses."""

import re

_BIBLIOGRAPHIC = {  # ISO 639-2/B, where its code is not the one of 639-2/T
    "alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl", "fre": "fr",
    "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "mao": "mi", "may": "ms", "per": "fa",
    "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy",
}  # fmt: skip
UNKNOWN = frozenset({"", "und", "mul", "mis", "zxx", "none", "na"})


def two_letters(declared: str) -> str:
    """ "en" of "en-US", "eng" and "EN"; the code itself where it has no shorter one; "" for an unknown language."""
    from yt_dlp.utils import ISO639Utils  # slow to import

    primary = re.split(r"[-_]", declared.strip().lower(), maxsplit=1)[0]
    if primary in UNKNOWN or not re.fullmatch(r"[a-z]{2,3}", primary):
        return ""
    return _BIBLIOGRAPHIC.get(primary) or ISO639Utils.long2short(primary) or primary
