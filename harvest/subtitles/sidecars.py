"""Subtitle files that lie beside a local video and bear its name, as players look for them.

clip.mp4 -> clip.srt, clip.en.vtt, clip.pt-BR.sdh.srt; not clip.forced.srt, which holds signs alone, and not clip2.srt
"""

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from harvest.subtitles.reading import EXTENSIONS

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_KINDS = frozenset({"sdh", "cc", "hi", "default", "full"})


def sidecars(media: Path) -> list[tuple[Path, str]]:
    """The files beside `media`, sorted by name, each with the language its name declares, "" if none."""
    changed = media.parent.stat().st_mtime_ns
    found = _by_name(media.parent, changed).get(media.stem, ())
    declared = ((path, _declared(path.stem.removeprefix(media.stem))) for path in found)
    return [(path, language) for path, language in declared if language is not None]


@functools.lru_cache(maxsize=4)  # a folder may hold a hundred thousand videos; each asks
def _by_name(folder: Path, _changed: int) -> Mapping[str, list[Path]]:
    """The subtitle files of a folder by every name of a video that theirs may begin with."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            parts = path.stem.split(".")
            for length in range(max(1, len(parts) - 2), len(parts) + 1):
                found[".".join(parts[:length])].append(path)
    return found


def _declared(rest: str) -> str | None:
    """The language in ".en.sdh"; None for what is not the video's, or not all that is said."""
    language = ""
    for part in rest.split(".")[1:]:
        if part.lower() in _KINDS and (part.lower() != "hi" or language):  # "hi" may be Hindi
            continue
        if language or part.lower() == "forced" or not _LANGUAGE.fullmatch(part):
            return None
        language = part
    return language
