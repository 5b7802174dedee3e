"""The uploader's subtitles, fetched by yt-dlp once the media are there; never those a machine made.

yt-dlp's own way (`writesubtitles`) asks for them before the media and gives the video up when one of them fails. Here a
track that cannot be had is a line in the record, and the video goes on.
"""

import http.client
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.errors import Reason, StageError
from harvest.subtitles.cue import MAX_BYTES
from harvest.subtitles.languages import two_letters

if TYPE_CHECKING:
    import yt_dlp

logger = logging.getLogger(__name__)

MAX_FETCHED = 3  # requests a video: sites count them, and others than the spoken language serve nothing
FORMATS = ("vtt", "srt", "ass", "ssa", "unknown_video")  # that we can read, best first; the last: the link does not say
NOT_SPOKEN = frozenset({"live_chat", "rechat", "danmaku", "comments"})  # what yt-dlp hands out in subtitles' place
STEM = "subtitles-"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSubtitles:
    """A track of subtitles, fetched or not."""

    path: Path  # where it lies if there is no problem
    language: str  # as declared, "" if not
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A track that a page offers."""

    language: str
    source: Mapping[str, Any] | None  # what yt-dlp knows of its best format; None if we can read none of them


def offered(info: Mapping[str, Any]) -> list[Offered]:
    """The uploader's tracks in the language that is spoken; all in their order, English first, if none is declared.

    `info` is what yt-dlp knows of a video. YouTube declares a language of few videos, but names the one it heard
    in its automatic captions ("de-orig").
    """
    tracks = {str(name or ""): formats for name, formats in (info.get("subtitles") or {}).items()}
    named = [name for name in tracks if name not in NOT_SPOKEN]
    spoken = two_letters(_spoken(info))
    matching = [name for name in named if two_letters(name) == spoken] if spoken else []
    unnamed = [name for name in named if not two_letters(name)]
    english_first = sorted(named, key=lambda name: two_letters(name) != "en")
    chosen = [*matching, *unnamed] if spoken else english_first
    return [Offered(language=name, source=_best(tracks[name])) for name in chosen[:MAX_FETCHED]]


def fetch_subtitles(session: "yt_dlp.YoutubeDL", info: Mapping[str, Any], folder: Path) -> list[FetchedSubtitles]:
    """Fetch what `offered` chooses into `folder`. What goes wrong with a track is told in its place."""
    fetched = []
    for number, track in enumerate(offered(info)):
        extension = str(track.source["ext"]) if track.source else "vtt"
        path = folder / f"{STEM}{number}.{'vtt' if extension == 'unknown_video' else extension}"
        problem = _fetch(session, track.source, info, path)
        if problem:
            logger.warning("The subtitles %r of %s are left out: they %s.", track.language, info.get("id"), problem)
        fetched.append(FetchedSubtitles(path=path, language=track.language, problem=problem))
    return fetched


def stop_large_subtitles(progress: Mapping[str, Any]) -> None:
    """A `progress_hook` of yt-dlp. Ends the download of a track of a size that no subtitles have."""
    size = max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0)
    if Path(str(progress.get("filename"))).name.startswith(STEM) and size > MAX_BYTES:
        raise StageError(Reason.TOO_LARGE, f"are over {MAX_BYTES >> 20} MiB, which no subtitles are")


def _spoken(info: Mapping[str, Any]) -> str:
    heard = [str(name) for name in info.get("automatic_captions") or {} if str(name).endswith("-orig")]
    return str(info.get("language") or (heard[0].removesuffix("-orig") if len(heard) == 1 else ""))


def _best(formats: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    readable = [one for one in formats or () if one.get("ext") in FORMATS and (one.get("url") or one.get("data"))]
    return min(readable, key=lambda one: FORMATS.index(one["ext"]), default=None)


def _fetch(session: "yt_dlp.YoutubeDL", source: Mapping[str, Any] | None, info: Mapping[str, Any], path: Path) -> str:
    """Why the track could not be fetched, "" if it was."""
    from yt_dlp.utils import YoutubeDLError

    if source is None:
        return "come in no format that is read here (SubRip, WebVTT, ASS)"
    try:
        if source.get("data") is not None:
            path.write_text(str(source["data"])[: MAX_BYTES + 1], encoding="utf-8", errors="replace", newline="")
        else:
            session.dl(str(path), {"http_headers": info.get("http_headers"), **source}, subtitle=True)
    except StageError as error:
        return str(error)
    except (YoutubeDLError, OSError, ValueError, http.client.HTTPException) as error:
        return f"could not be fetched ({' '.join(str(error).split())[:200]})"
    return "" if path.is_file() else "could not be fetched, and yt-dlp gives no cause"
